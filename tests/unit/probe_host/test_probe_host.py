"""The reader of the probe's events, fed with true streams and with everything a hostile environment can print."""

import base64
import io
import json
import random
import zipfile
from dataclasses import replace

import pytest

from validator import probe_host
from validator.catalogue.checks import CheckSpec
from validator.model import CheckStatus, Gpu, GpuClocks, Level, UserModel
from validator.probe_host import EventStream, ProbePlan, events

NONCE = "0123456789abcdef" * 2


def spec(name, *needs):
    return CheckSpec(name=name, level=Level.REQUIRED, deadline_seconds=5.0, needs=needs, inspect=True)


PLAN = ProbePlan(NONCE, (spec("import"), spec("device", "import")), "cpu", None, 60.0)


def check_end(check, status="pass", **fields):
    base = {"message": "well", "seconds": 0.5, "metrics": {}, "died": None, "output": ""}
    return {"event": "check-end", "check": check, "status": status, **base, **fields}


START = {
    "event": "start",
    "protocol": 2,
    "python": "3.11.7",
    "executable": "/usr/bin/python3",
    "platform": "Linux 6.1 x86_64",
    "libc": "glibc 2.36",
    "environment": {"CUDA_VISIBLE_DEVICES": "0"},
    "checks": ["import", "device"],
}
WORKER = {"event": "worker-start", "worker": 1, "pid": 12}


def check_start(check, worker=1):
    return {"event": "check-start", "check": check, "worker": worker}


END = {"event": "end", "seconds": 1.5, "checks": 2}
GOOD = [START, WORKER, check_start("import"), check_end("import"), check_start("device"), check_end("device"), END]


def lines(stream, nonce=NONCE):
    return [json.dumps({**event, "nonce": nonce, "seq": seq}).encode() + b"\n" for seq, event in enumerate(stream, 1)]


def read(data, plan=PLAN):
    stream = EventStream(plan)
    stream.feed(data)
    return stream.close()


def report_of(events):
    return read(b"".join(lines(events)))


def with_check_end(**fields):
    """A stream whose last check ends so; whatever is wrong with it must leave the run incomplete."""
    return report_of([*GOOD[:5], check_end("device", **fields), END])


def test_a_true_stream_is_complete_and_every_field_arrives():
    metrics = {"torch_version": "2.7.1", "losses": [2.1, 0.5], "cudnn_version": None, "numpy_bridge": True}
    report = report_of([*GOOD[:3], check_end("import", "warn", metrics=metrics, output="a\nb"), *GOOD[4:]])
    assert report.complete
    assert report.started
    assert report.violations == ()
    assert report.running is None
    assert report.stray == ""
    assert report.facts["python"] == "3.11.7"
    assert report.facts["env.CUDA_VISIBLE_DEVICES"] == "0"
    first, second = report.checks
    assert (first.name, first.status, first.seconds, first.output) == ("import", CheckStatus.WARN, 0.5, "a\nb")
    assert first.metrics == metrics
    assert second.status is CheckStatus.PASS


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_it_does_not_matter_how_the_bytes_are_cut(size):
    data = b"".join(lines(GOOD))
    stream = EventStream(PLAN)
    events = [event for at in range(0, len(data), size) for event in stream.feed(data[at : at + size])]
    assert [event["event"] for event in events] == [event["event"] for event in GOOD]
    assert stream.close() == read(data)


def test_every_prefix_of_a_true_stream_is_incomplete():
    data = b"".join(lines(GOOD))
    assert read(data).complete
    assert not any(read(data[:cut]).complete for cut in range(len(data)))


def test_a_check_that_started_and_never_ended_is_the_running_one():
    report = report_of(GOOD[:5])
    assert report.running == "device"
    assert [check.name for check in report.checks] == ["import"]


def test_a_probe_that_never_spoke_leaves_what_was_printed():
    report = read(b"exec: python3: not found\n")
    assert not report.started
    assert report.stray == "exec: python3: not found"
    assert report.violations == ()


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(GOOD[1:], id="no start"),
        pytest.param([START, *GOOD], id="start twice"),
        pytest.param([{**START, "protocol": 1}, *GOOD[1:]], id="other protocol"),
        pytest.param([{**START, "checks": ["import"]}, *GOOD[1:]], id="other checks than planned"),
        pytest.param([START, END], id="end without checks"),
        pytest.param([START, {**END, "checks": 0}], id="end that counts what it did"),
        pytest.param([*GOOD[:4], {**END, "checks": 1}], id="end before the last check"),
        pytest.param([*GOOD[:6], {**END, "checks": 3}], id="end that counts wrong"),
        pytest.param([*GOOD[:3], END], id="end while a check runs"),
        pytest.param([START, *GOOD[2:]], id="check without a worker"),
        pytest.param([START, {**WORKER, "worker": 2}, *GOOD[2:]], id="worker out of order"),
        pytest.param([START, WORKER, {**WORKER, "pid": 13}, *GOOD[2:]], id="the same worker twice"),
        pytest.param([*GOOD[:3], {**WORKER, "worker": 2}, *GOOD[3:]], id="worker while a check runs"),
        pytest.param([*GOOD[:4], check_start("device", worker=2), *GOOD[5:]], id="check of a worker that is not there"),
        pytest.param([START, check_start("import", worker=0), *GOOD[3:]], id="check of no worker"),
        pytest.param([*GOOD[:2], check_end("import"), *GOOD[4:]], id="pass without start"),
        pytest.param([*GOOD[:2], check_end("import", "fail"), *GOOD[4:]], id="fail without start or death"),
        pytest.param([*GOOD[:3], check_end("device"), *GOOD[4:]], id="end of a check other than the running one"),
        pytest.param([*GOOD[:4], check_end("import"), *GOOD[4:]], id="second end of a check"),
        pytest.param([*GOOD[:4], check_start("import"), *GOOD[4:]], id="second start of a check"),
        pytest.param([*GOOD[:3], check_start("device"), *GOOD[3:]], id="start while another runs"),
        pytest.param([*GOOD[:4], check_start("train_fp64"), *GOOD[4:]], id="check that was not planned"),
        pytest.param([*GOOD, END], id="event after the end"),
        pytest.param([*GOOD[:6], {"event": "verdict", "status": "pass"}, END], id="unknown event"),
        pytest.param([*GOOD[:6], {**END, "extra": 1}], id="unknown field"),
        pytest.param([*GOOD[:6], {"event": "end", "seconds": 1.5}], id="missing field"),
    ],
)
def test_a_stream_that_breaks_the_protocol_leaves_a_violation(events):
    assert report_of(events).violations


def test_a_verdict_that_was_given_stays_when_a_second_one_is_tried():
    report = report_of([*GOOD[:3], check_end("import", "fail"), check_end("import", "pass"), *GOOD[4:]])
    assert report.checks[0].status is CheckStatus.FAIL
    assert len(report.violations) == 1


@pytest.mark.parametrize("died", [None, "total deadline of 60 s"])
def test_a_check_that_never_started_may_be_skipped_or_die(died):
    status = "skip" if died is None else "fail"
    report = report_of([*GOOD[:4], check_end("device", status, died=died), END])
    assert report.complete
    assert report.checks[1].died == died


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "green"},
        {"status": ["pass"]},
        {"message": 5},
        {"seconds": -1},
        {"seconds": True},
        {"seconds": "1"},
        {"metrics": []},
        {"metrics": {"Upper": 1}},
        {"metrics": {"x" * 65: 1}},
        {"metrics": {"": 1}},
        {"metrics": {f"m{i}": 1 for i in range(129)}},
        {"metrics": {"m": {"nested": 1}}},
        {"metrics": {"m": [[1]]}},
        {"metrics": {"m": list(range(257))}},
        {"metrics": {"m": "x" * 1001}},
        {"metrics": {"m": 2**63 + 1}},
        {"metrics": {"m": [10**400]}},
        {"output": None},
        {"died": "signal 9"},
        {"died": 9, "status": "fail"},
    ],
    ids=str,
)
def test_a_field_out_of_bounds_is_refused(fields):
    report = with_check_end(**fields)
    assert not report.complete
    assert report.violations


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seconds": 1.5', b'"seconds": NaN'),
        (b'"seconds": 1.5', b'"seconds": Infinity'),
        (b'"seconds": 1.5', b'"seconds": 1e999'),
        (b'"seconds": 1.5', b'"seconds": 1.5, "seconds": 2'),
        (b'"seconds": 1.5', b'"seconds": ' + b"9" * 30_000),
        (b'"seconds": 1.5', b'"seconds": ' + b"[" * 30_000),
        (b'"seconds": 1.5', b'"seconds": [[[[[1]]]]]'),
        (b'"seq": 7', b'"seq": 6'),
        (b'"seq": 7', b'"seq": true'),
        (b'"seq": 7', b'"seq": 7.5'),
        (b'"end"', b'"\xc3\xa9nd"'),
        (b"}\n", b"} x\n"),
    ],
    ids=lambda value: value[:30].decode("utf-8", "replace"),
)
def test_an_end_that_is_not_exact_does_not_end(old, new):
    *rest, end = lines(GOOD)
    assert old in end
    report = read(b"".join(rest) + end.replace(old, new))
    assert not report.complete
    assert report.violations


def test_events_with_another_nonce_are_stray_text():
    report = read(b"".join(lines(GOOD, nonce="f" * 32)))
    assert not report.started
    assert report.violations == ()
    assert '"event": "end"' in report.stray


def test_our_nonce_inside_an_event_with_another_nonce_is_no_violation():
    forged = {**START, "nonce": "f" * 32, "seq": 1, "python": NONCE}
    report = read(json.dumps(forged).encode() + b"\n" + b"".join(lines(GOOD)))
    assert report.complete
    assert report.violations == ()


def test_an_entrypoint_that_prints_the_environment_does_no_harm():
    printed = "".join(f"{name}={value}\n" for name, value in probe_host.environment(PLAN).items()).encode()
    report = read(printed + b"".join(lines(GOOD)))
    assert report.complete
    assert report.violations == ()


def test_text_is_cleaned_before_anyone_sees_it():
    nasty = "\x1b[31mred\x1b[0m \u202eevil \ud800 \x07"
    report = report_of(
        [*GOOD[:5], check_end("device", "fail", message=f"a\nb {nasty}", output=nasty, metrics={"m": [nasty]}), END]
    )
    found = report.checks[1]
    assert found.message.startswith("a b red ")
    texts = [found.message, found.output, found.metrics["m"][0], read(nasty.encode("utf-8", "replace")).stray]
    assert not any(bad in text for text in texts for bad in ("\x1b", "\u202e", "\ud800", "\x07"))


def test_violations_are_bounded_in_number_and_length():
    bad = json.dumps({"nonce": NONCE, "seq": 1, "event": "x" * 30_000}).encode() + b"\n"
    report = read(bad * 200)
    assert len(report.violations) == 20
    assert all(len(text) < 500 for text in report.violations)


def test_overlong_lines_are_dropped_and_the_next_event_counts():
    start, *rest = lines(GOOD)
    report = read(start + b"x" * 300_000 + b"\n" + b"".join(rest))
    assert report.complete
    assert len(report.stray) <= 4000


@pytest.mark.parametrize(("size", "taken"), [(64 * 1024, True), (64 * 1024 + 1, False)])
@pytest.mark.parametrize("cut", [100, 64 * 1024])
def test_a_line_of_64_kibibytes_is_the_longest_that_is_read(size, taken, cut):
    *rest, end = lines(GOOD)
    padded = end[:-1] + b" " * (size - len(end) + 1)
    stream = EventStream(PLAN)
    for part in (*rest, padded[:cut], padded[cut:], b"\n"):
        stream.feed(part)
    assert stream.close().complete is taken


def test_of_what_is_not_an_event_the_end_is_kept():
    stream = EventStream(PLAN)
    stream.feed(b"first\n" + b"x" * 70_000 + b"last of a long line\n")
    stream.feed(b"a" * 10_000 + b"\n" + b"the very last\n")
    stray = stream.close().stray
    assert stray.endswith("a\nthe very last")
    assert "first" not in stray


def test_an_overlong_line_is_kept_by_its_end_and_ends_where_it_ends():
    report = read(b"x" * 70_000 + b"last of a long line\nnext\n")
    assert report.stray.endswith("xlast of a long line\nnext")


def test_an_overlong_line_cannot_end_in_an_event():
    *rest, end = lines(GOOD)
    assert not read(b"".join(rest) + b" " * 70_000 + end).complete


@pytest.mark.parametrize("depth", [5, 400, 700, 980, 2000, 9000])
def test_an_event_nested_to_any_depth_is_refused_and_stops_nothing(depth):
    deep = f'{{"nonce": "{NONCE}", "seq": 1, "event": "start", "checks": {"[" * depth}{"]" * depth}}}\n'.encode()
    report = read(deep + b"".join(lines(GOOD)))
    assert report.complete
    assert "nested too deep" in report.violations[0]


def test_more_than_four_mebibytes_of_events_are_refused():
    plan = replace(PLAN, checks=tuple(spec(f"c{i}") for i in range(200)))
    events = [{**START, "checks": [each.name for each in plan.checks]}, WORKER]
    for each in plan.checks:
        events += [check_start(each.name), check_end(each.name, output="x" * 40_000)]
    report = read(b"".join(lines([*events, {**END, "checks": 200}])), plan)
    assert not report.complete
    assert "bytes of events" in report.violations[0]
    # 4 MiB hold 103 checks of 40 000 bytes and their wrapping; none is taken beyond.
    assert 95 < len(report.checks) < 105


@pytest.mark.parametrize(("room", "taken"), [(0, True), (-1, False)])
def test_events_are_taken_up_to_the_last_byte_of_the_bound(room, taken, monkeypatch):
    size = sum(len(line) - 1 for line in lines(GOOD))  # without the newlines
    monkeypatch.setattr(events, "_ACCEPTED_BYTES", size + room)
    assert report_of(GOOD).complete is taken


def test_a_flood_without_newlines_is_not_kept():
    stream = EventStream(PLAN)
    for _ in range(200):
        stream.feed(b"x" * 65_536)
    held = sum(len(value) for value in vars(stream).values() if isinstance(value, (bytes, bytearray)))
    assert held <= 64 * 1024 + 16 * 1024
    assert len(stream.close().stray) <= 4000


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_are_survived_and_prove_nothing(seed):
    dice = random.Random(seed)  # noqa: S311 - test data, not a secret
    stream = EventStream(PLAN)
    tokens = [b"{", b"}", b"[", b'"', b":", b",", b"\n", b"\\u", b"1e9", b"null", NONCE.encode(), b'"nonce"', b"\x00", b"\xff"]
    for _ in range(50):
        stream.feed(b"".join(dice.choice(tokens) for _ in range(200)))
        stream.feed(dice.randbytes(500))
    report = stream.close()
    assert not report.complete
    assert not report.started


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_stream_is_survived_and_complete_only_with_its_end_intact(seed):
    dice = random.Random(seed)  # noqa: S311 - test data, not a secret
    original = lines(GOOD)
    for _ in range(30):
        data = bytearray(b"".join(original))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data))
            kind = dice.randrange(4)
            if kind == 0:
                data[at] = dice.randrange(256)
            elif kind == 1:
                del data[at : at + dice.randint(1, 40)]
            elif kind == 2:
                data[at:at] = dice.randbytes(dice.randint(1, 40))
            else:
                data[at:at] = dice.choice(original)
        report = read(bytes(data))
        assert {check.name for check in report.checks} <= {"import", "device"}
        if report.complete:
            assert [check.name for check in report.checks] == ["import", "device"]
            ends = [line for line in bytes(data).split(b"\n") if line.startswith(b"{") and b'"end"' in line]
            assert any(json.loads(line.decode("ascii", "replace").replace("\ufffd", "?"))["checks"] == 2 for line in ends)


def test_a_random_order_of_true_events_is_never_complete_unless_it_is_the_true_one():
    dice = random.Random(1)  # noqa: S311 - test data, not a secret
    for _ in range(300):
        order = dice.sample(GOOD, len(GOOD))
        assert report_of(order).complete == (order == GOOD)


# ---------------------------------------------------------------- what the supervisor asks, and a log that is read again

RATES = replace(PLAN, checks=(spec("import"), replace(spec("throughput"), alone=True)), turns=True)


def turn(check):
    return {"event": "turn", "check": check}


MEASURED = [
    {**START, "checks": ["import", "throughput"]},
    WORKER,
    check_start("import"),
    check_end("import"),
    turn("throughput"),
    check_start("throughput"),
    check_end("throughput"),
    END,
]


def test_the_ready_line_is_told_until_the_probe_has_started_and_is_no_stray_text():
    stream = EventStream(PLAN)
    assert stream.feed(b"hello\n" + probe_host.READY + b"\n") == [{"event": "ready"}]
    stream.feed(lines(GOOD)[0])
    assert stream.feed(probe_host.READY + b"\n") == []
    assert stream.close().stray == "hello"


def test_who_cannot_be_answered_is_not_heard_to_ask():
    stream = EventStream(replace(PLAN, listens=False))
    assert stream.feed(probe_host.READY + b"\n") == []
    assert stream.close().stray == probe_host.READY.decode()


def test_the_ready_line_is_the_one_that_the_probe_prints():
    from validator.probe import host

    assert host.READY == probe_host.READY


def test_a_turn_is_asked_for_before_a_check_that_is_to_run_alone():
    report = read(b"".join(lines(MEASURED)), RATES)
    assert report.complete
    assert report.violations == ()


@pytest.mark.parametrize(
    ("plan", "stream", "why"),
    [
        (replace(RATES, turns=False), MEASURED, "turn of throughput out of order"),
        (RATES, [*MEASURED[:2], turn("import"), *MEASURED[2:]], "turn of import out of order"),
        (RATES, [*MEASURED[:2], turn("other"), *MEASURED[2:]], "unknown check"),
        (RATES, [turn("throughput"), *MEASURED], "turn out of order"),
        (RATES, [*MEASURED[:5], turn("throughput"), *MEASURED[5:]], "turn of throughput out of order"),
        (RATES, [*MEASURED[:3], turn("throughput"), *MEASURED[3:]], "turn of throughput out of order"),
        (RATES, [*MEASURED[:7], turn("throughput"), END], "turn of throughput out of order"),
        (RATES, [*MEASURED[:2], turn("throughput"), *MEASURED[2:]], "check-start of import in the turn of throughput"),
        (RATES, [*MEASURED[:5], check_end("throughput", "skip"), END], "check-end of throughput out of order"),
    ],
)
def test_a_turn_at_any_other_place_is_a_violation(plan, stream, why):
    report = read(b"".join(lines(stream)), plan)
    assert why in report.violations[0]


def test_a_log_that_is_read_again_from_its_start_is_the_same_log():
    told = b"".join(lines(MEASURED))
    whole = EventStream(RATES)
    events = whole.feed(told)
    assert len(events) == len(MEASURED)
    for cut in range(0, len(told), 97):
        stream = EventStream(RATES)
        seen = stream.feed(told[:cut])
        for _ in range(2):
            stream.again()
            seen += stream.feed(told)
        assert seen == events
        assert stream.close().complete
        assert stream.close().violations == ()


def test_an_event_that_comes_again_with_another_content_is_a_violation():
    stream = EventStream(PLAN)
    *rest, end = lines(GOOD)
    stream.feed(b"".join(rest))
    other = json.dumps({**check_end("import", "fail"), "nonce": NONCE, "seq": 4}).encode() + b"\n"
    assert stream.feed(other + end)[-1]["event"] == "end"
    report = stream.close()
    assert report.complete
    assert report.checks[0].status is CheckStatus.PASS
    assert "event 4 after event 6" in report.violations[0]


def test_what_was_refused_is_refused_again():
    stream = EventStream(PLAN)
    bad = json.dumps({**END, "nonce": NONCE, "seq": 1}).encode() + b"\n"
    stream.feed(bad + bad)
    assert len(stream.close().violations) == 2


def test_no_more_workers_than_checks_are_believed_in():
    workers = [{**WORKER, "worker": number} for number in (1, 2, 3)]
    report = report_of([START, *workers, *GOOD[2:]])
    assert "a worker out of order" in report.violations[0]


def test_nonces_are_128_bits_and_differ():
    nonces = {probe_host.new_nonce() for _ in range(50)}
    assert len(nonces) == 50
    assert all(len(nonce) == 32 and int(nonce, 16) >= 0 for nonce in nonces)


def test_the_request_carries_the_plan_and_fits_into_environment_variables():
    clocks = GpuClocks(300e6, 1590e6, 60.0, 70.0, ("power_cap",))
    gpu = Gpu(0, "GPU-1", "Tesla T4", compute_capability="7.5", memory_total_bytes=16 << 30, clocks=clocks)
    variables = probe_host.environment(replace(PLAN, device="cuda", host_gpu=gpu, scratch="/scratch", asked={"torch": "2.7.1"}))
    parts = int(variables["VALIDATOR_PROBE_PARTS"])
    zips = [f"VALIDATOR_PROBE_ZIP_{number}" for number in range(parts)]
    assert set(variables) == {*zips, "VALIDATOR_PROBE_PARTS", "VALIDATOR_PROBE_PLAN"}
    assert base64.b64decode("".join(variables[name] for name in zips)) == probe_host.pack()
    assert json.loads(variables["VALIDATOR_PROBE_PLAN"]) == {
        "protocol": 2,
        "nonce": None,
        "deadline_seconds": 60.0,
        "device": "cuda",
        "host_gpu": {
            "name": "Tesla T4",
            "compute_capability": "7.5",
            "memory_total_bytes": 16 << 30,
            "uuid": "GPU-1",
            "rates": {
                "fp16_flops_per_clock": 512,
                "clock_hz": 300e6,
                "clock_max_hz": 1590e6,
                "power_limit_watts": 60.0,
                "power_default_watts": 70.0,
                "throttle_reasons": ["power_cap"],
            },
        },
        "scratch": "/scratch",
        "asked": {"torch": "2.7.1"},
        "quick": False,
        "model": {},
        "checks": [
            {"name": "import", "deadline_seconds": 5.0, "needs": [], "alone": False},
            {"name": "device", "deadline_seconds": 5.0, "needs": ["import"], "alone": False},
        ],
    }
    assert json.loads(probe_host.environment(PLAN)["VALIDATOR_PROBE_PLAN"])["host_gpu"] is None


def test_the_nonce_travels_with_the_plan_only_where_nobody_can_be_asked_for_it():
    assert not any(NONCE in value for value in probe_host.environment(PLAN).values())
    assert json.loads(probe_host.environment(replace(PLAN, listens=False))["VALIDATOR_PROBE_PLAN"])["nonce"] == NONCE


@pytest.mark.parametrize(
    ("changed", "asks"),
    [({}, [False, True]), ({"turns": False}, [False, False]), ({"listens": False}, [False, False])],
)
def test_a_turn_is_to_be_asked_for_where_it_can_be_given(changed, asks):
    told = json.loads(probe_host.environment(replace(RATES, **changed))["VALIDATOR_PROBE_PLAN"])
    assert [check["alone"] for check in told["checks"]] == asks


def test_an_answer_is_one_line():
    assert probe_host.answer("nonce", NONCE) == b'{"nonce": "' + NONCE.encode() + b'"}\n'


@pytest.mark.parametrize(
    "model",
    [
        UserModel("net.py", b"", None, "build", "3x8x8", "float16", "auto", "2", "bfloat16", "/home/me/nets"),
        UserModel(None, None, "nets.small", "build", "128"),
    ],
)
def test_a_model_is_told_by_what_is_known_of_it(model):
    told = json.loads(probe_host.environment(replace(PLAN, model=model, quick=True))["VALIDATOR_PROBE_PLAN"])
    known = {name: value for name, value in vars(model).items() if value is not None and name != "content"}
    assert told["model"] == known
    assert told["quick"] is True


def test_the_probe_is_packed_the_same_every_time_and_compressed():
    first = probe_host.pack()
    probe_host.pack.cache_clear()
    assert probe_host.pack() == first
    archive = zipfile.ZipFile(io.BytesIO(first))
    sizes = [(entry.compress_type, entry.date_time) for entry in archive.infolist()]
    assert set(sizes) == {(zipfile.ZIP_DEFLATED, (1980, 1, 1, 0, 0, 0))}
    assert {"__main__.py", "validator_probe/main.py"} <= set(archive.namelist())
    assert not any(name.startswith(probe_host.MODEL_FOLDER) for name in archive.namelist())


def test_an_installed_model_leaves_the_packed_probe_as_it_is():
    assert probe_host.pack(UserModel(None, None, "nets.small", "build", "128")) == probe_host.pack()


def test_the_file_of_a_model_travels_with_the_probe_in_as_many_variables_as_it_takes():
    content = random.Random(2).randbytes(200_000)  # noqa: S311 - test data that does not compress
    variables = probe_host.environment(replace(PLAN, model=UserModel("net.py", content, None, "build", "3x8x8")))
    zips = [value for name, value in variables.items() if name.startswith("VALIDATOR_PROBE_ZIP_")]
    assert len(zips) > 2
    assert all(len(value) <= probe_host.PART_CHARS for value in zips)
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode("".join(zips))))
    assert archive.read(f"{probe_host.MODEL_FOLDER}/net.py") == content


def test_the_command_runs_the_bootstrap_isolated():
    assert probe_host.command("python3") == ("python3", "-I", "-S", "-B", "-c", probe_host.BOOTSTRAP)


def test_a_slice_of_a_gpu_is_not_compared_with_the_name_and_memory_of_the_whole():
    gpu = Gpu(0, "GPU-1", "NVIDIA A100-SXM4-80GB", "8.0", 80 << 30, mig_enabled=True, mig_devices=("MIG-1", "MIG-2"))
    plan = json.loads(probe_host.environment(replace(PLAN, device="cuda", host_gpu=gpu))["VALIDATOR_PROBE_PLAN"])
    compared = {name: value for name, value in plan["host_gpu"].items() if name != "rates"}
    assert compared == {"name": None, "compute_capability": "8.0", "memory_total_bytes": None, "uuid": "MIG-1"}
