"""`edge-asd config check`: what a configuration or a recipe means, in words, or the first thing wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from edge_asd.bundle import Bundle
from edge_asd.calibration.alarms import asked_per_week, threshold_of
from edge_asd.capture import Files, SourceAddress, Stdin
from edge_asd.configuration.documents import recognized
from edge_asd.configuration.firmware_file import load_firmware
from edge_asd.configuration.loading import load, read_mapping
from edge_asd.configuration.shapes import tag_of
from edge_asd.daemon.plan import Plan, make_plan
from edge_asd.firmware import Decision, Firmware, Mqtt
from edge_asd.publish.tls import tls_context
from edge_asd.recipe.graph import Branch, Part, Recipe, Threshold


def check_configuration(path: Path, *, environ: Mapping[str, str] | None = None) -> str:
    """Check a firmware configuration or a recipe, and say what it means.

    Parameters
    ----------
    path
        The YAML file; which kind it is shows in its outermost keys.
    environ
        Environment whose `EDGE_ASD__…` variables override a firmware configuration; none where left out.

    Returns
    -------
    str
        Some lines of text, without a newline at the end.

    Raises
    ------
    InputError
        When anything in the file is wrong, or a bundle, recording, certificate or password file that it names cannot be
        used, as the daemon would find.
    CheckFailedError
        When a bundle does not give its own scores here.
    """
    document = recognized(read_mapping(path), path)
    if document.record is Firmware:
        plan = make_plan(load_firmware(path, environ=environ), path)
        lines = [*_broker_lines(plan.firmware), *_source_lines(plan)]
    else:
        lines = list(_recipe_lines(load(path, Recipe)))
    return "\n".join([f"{path}: a {document.title}, nothing wrong with it", *lines])


def _broker_lines(firmware: Firmware) -> Iterator[str]:
    mqtt = firmware.mqtt
    yield _line("device", f"{firmware.device}, topics {mqtt.base_topic}/{firmware.device}/…")
    yield _line("broker", f"{mqtt.host}, port {mqtt.port}, {_login(mqtt)}, {_encryption(mqtt)}")
    yield _line("spool", f"{firmware.spool.path}, at most {firmware.spool.max_bytes / 2**20:.0f} MiB")
    if mqtt.password_file is not None and mqtt.tls is None:
        yield _line("note", "the password goes over the network in the clear: give mqtt.tls where the broker offers it")


def _login(mqtt: Mqtt) -> str:
    if mqtt.username is None:
        return "no login"
    if mqtt.password_file is None:
        return f"as {mqtt.username} without a password"
    return f"as {mqtt.username} with the password in {mqtt.password_file}"


def _encryption(mqtt: Mqtt) -> str:
    if mqtt.tls is None:
        return "not encrypted"
    tls_context(mqtt.tls)
    checked_by = mqtt.tls.ca_file or "the system's certificate authorities"
    shown = f", shown {mqtt.tls.cert_file}" if mqtt.tls.cert_file else ""
    return f"encrypted, its certificate checked by {checked_by}{shown}"


def _source_lines(plan: Plan) -> Iterator[str]:
    for source, address, bundle, *_ in plan.posts.values():
        channel = "all channels mixed" if source.channel == "mix" else f"channel {source.channel}"
        yield _line("source", f"{source.name} hears {_origin(address)}, {channel}")
        yield _line("", f"judged by {bundle.where} (recipe {bundle.recipe.name}, SHA-256 {bundle.sha256[:12]}…)")
        yield _line("", _rule(source.decision, bundle))


def _origin(address: SourceAddress) -> str:
    if isinstance(address, Files):
        return str(address.path)
    if isinstance(address, Stdin):
        return f"standard input ({address.format}, {address.rate} Hz, {address.channels} channel(s))"
    return f"the microphone {address.name!r}" if address.name else "the default microphone"


def _rule(decision: Decision, bundle: Bundle) -> str:
    return (
        f"an anomaly begins after {_decisions(decision.enter)} at or above {_threshold(decision, bundle)}, "
        f"and ends after {_decisions(decision.exit)} well below it"
    )


def _threshold(decision: Decision, bundle: Bundle) -> str:
    per_week = asked_per_week(bundle.recipe, decision)
    if per_week is not None:
        return f"{threshold_of(bundle, decision):.4g}, expected to give {_false_alarms(per_week)}"
    return "the bundle's threshold" if decision.threshold is None else f"{decision.threshold:g}"


def _false_alarms(per_week: float) -> str:
    return "1 false alarm a week" if per_week == 1 else f"{per_week:g} false alarms a week"


def _decisions(count: int) -> str:
    return "1 decision" if count == 1 else f"{count} decisions in a row"


def _recipe_lines(recipe: Recipe) -> Iterator[str]:
    yield _line("recipe", " ".join(f"{recipe.name}: {recipe.description}".split()).removesuffix(":"))
    yield _line("hears", f"{recipe.sample_rate} Hz, {recipe.horizon.seconds:g} s for each decision")
    for name, branch in recipe.branches.items():
        unused = "" if name in recipe.used_branches else " (not used)"
        yield _line("branch", f"{name}: {_branch(branch)}{unused}")
    for name, part in recipe.parts.items():
        yield _line("part", f"{name}: {_part(part)}")
    yield _line("threshold", _threshold_rule(recipe.threshold))


def _threshold_rule(threshold: Threshold) -> str:
    if threshold.rule == "false-alarms":
        return f"false-alarms, for {_false_alarms(threshold.false_alarms_per_week)}"
    return f"{threshold.rule}, for a false-alarm probability of {threshold.false_alarm_probability:g}"


def _branch(branch: Branch) -> str:
    pooling = "" if branch.pooling == "none" else "pooled"
    model = "" if branch.model is None else _kind(branch.model)
    patch = f"patches of {branch.patch.frames} frames" if branch.patch.frames > 1 else ""
    return " → ".join(filter(None, [_kind(branch.front_end), patch, model, pooling]))


def _part(part: Part) -> str:
    switched = "" if part.enabled else " (switched off)"
    return f"{' + '.join(part.branches)} → {_kind(part.detector)} → {_kind(part.aggregation)}{switched}"


def _kind(settings: object) -> str:
    tag = tag_of(type(settings))  # type: ignore[arg-type]
    return "" if tag is None else tag[1]


def _line(title: str, text: str) -> str:
    return f"  {title:<10} {text}"
