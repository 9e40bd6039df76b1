/* Loads libraries and lets go of them, again and again: copies of itself, with a table that the loader has to fill in. */
#define _GNU_SOURCE
#include <dlfcn.h>

static int one(void) { return 1; }
int (*const table[512])(void) = {[0 ... 511] = one};

/* Returns how many were loaded whole; stops when *over is set. */
long load(const char *const *names, long count, const volatile int *over) {
    long done = 0;
    while (!*over) {
        void *library = dlopen(names[done % count], RTLD_NOW | RTLD_LOCAL);
        int (*const *filled)(void) = library ? (int (*const *)(void))dlsym(library, "table") : 0;
        if (!filled || filled[511]() != 1)
            return -1;
        dlclose(library);
        done++;
    }
    return done;
}
