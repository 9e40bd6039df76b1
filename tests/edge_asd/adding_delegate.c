/* A TFLite delegate that computes ADD of two float32 tensors of one shape, for tests.
 *
 * Options: gain=X multiplies what it computes; refuse=create|prepare and refuse=invoke:N fail there, the last at the
 * N-th run. The structures below are the part of TensorFlow Lite's C interface that a delegate needs
 * (tensorflow/lite/core/c/common.h, unchanged from 2.4 to LiteRT 2.1). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, ERROR = 1, FLOAT32 = 1, ADD = 0 };

typedef struct { int size; int data[]; } IntArray;
typedef struct {
  int type;
  void *data;
  IntArray *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  void *delegate;
  int buffer_handle;
  bool data_is_stale, is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const IntArray *dims_signature;
} Tensor;
typedef struct { IntArray *inputs, *outputs, *intermediates, *temporaries; void *user_data; } Node;
struct Context;
typedef struct Registration {
  void *(*init)(struct Context *, const char *, size_t);
  void (*free)(struct Context *, void *);
  int (*prepare)(struct Context *, Node *);
  int (*invoke)(struct Context *, Node *);
  const char *(*profiling)(const struct Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *unused[6];
} Registration;
struct Delegate;
typedef struct Context {
  size_t tensors_size;
  int (*get_plan)(struct Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  int (*resize)(struct Context *, void *, IntArray *);
  void (*report)(struct Context *, const char *, ...);
  int (*add_tensors)(struct Context *, int, int *);
  int (*get_node)(struct Context *, int, Node **, Registration **);
  int (*replace)(struct Context *, Registration, const IntArray *, struct Delegate *);
  int threads;
} Context;
typedef struct Delegate {
  void *data;
  int (*prepare)(Context *, struct Delegate *);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void *builder;
} Delegate;
typedef struct { Delegate *delegate; IntArray *nodes, *inputs, *outputs; } Params;

typedef struct { float gain; bool refuse_prepare; int refuse_run; int runs; } Options;
typedef struct { Options *options; int first, second, out; } Addition;

static void *init(Context *context, const char *buffer, size_t length) {
  (void)length;
  const Params *params = (const Params *)buffer;
  Addition *addition = calloc(1, sizeof *addition);
  Node *node;
  Registration *registration;
  context->get_node(context, params->nodes->data[0], &node, &registration);
  addition->options = params->delegate->data;
  addition->first = node->inputs->data[0];
  addition->second = node->inputs->data[1];
  addition->out = node->outputs->data[0];
  return addition;
}

static void release(Context *context, void *addition) {
  (void)context;
  free(addition);
}

static int prepare_node(Context *context, Node *node) {
  (void)context, (void)node;
  return OK;
}

static int invoke(Context *context, Node *node) {
  Addition *addition = node->user_data;
  Options *options = addition->options;
  if (++options->runs == options->refuse_run) {
    context->report(context, "the hardware has gone");
    return ERROR;
  }
  const Tensor *first = &context->tensors[addition->first];
  const Tensor *second = &context->tensors[addition->second];
  Tensor *out = &context->tensors[addition->out];
  for (size_t i = 0; i < out->bytes / sizeof(float); i++)
    ((float *)out->data)[i] = options->gain * (((float *)first->data)[i] + ((float *)second->data)[i]);
  return OK;
}

static int prepare(Context *context, Delegate *delegate) {
  if (((Options *)delegate->data)->refuse_prepare) {
    context->report(context, "this net is not for me");
    return ERROR;
  }
  IntArray *plan;
  if (context->get_plan(context, &plan) != OK) return ERROR;
  IntArray *chosen = malloc(sizeof(IntArray) + sizeof(int) * (size_t)plan->size);
  chosen->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node *node;
    Registration *registration;
    context->get_node(context, plan->data[i], &node, &registration);
    if (registration->builtin_code == ADD && registration->custom_name == NULL &&
        context->tensors[node->inputs->data[0]].type == FLOAT32)
      chosen->data[chosen->size++] = plan->data[i];
  }
  Registration kernel = {.init = init, .free = release, .prepare = prepare_node, .invoke = invoke,
                         .custom_name = "AddingDelegate", .version = 1};
  int status = chosen->size ? context->replace(context, kernel, chosen, delegate) : OK;
  free(chosen);
  return status;
}

void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  Options *options = calloc(1, sizeof *options);
  options->gain = 1;
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(keys[i], "gain")) options->gain = strtof(values[i], NULL);
    else if (!strcmp(values[i], "prepare")) options->refuse_prepare = true;
    else if (sscanf(values[i], "invoke:%d", &options->refuse_run) != 1) {
      report("no such hardware here");
      free(options);
      return NULL;
    }
  }
  Delegate *delegate = calloc(1, sizeof *delegate);
  delegate->data = options;
  delegate->prepare = prepare;
  return delegate;
}

void tflite_plugin_destroy_delegate(void *given) {
  Delegate *delegate = given;
  if (delegate) free(delegate->data);
  free(delegate);
}
