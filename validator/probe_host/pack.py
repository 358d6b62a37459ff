"""The probe as one zipapp, and the few lines of ``python -c`` that start it.

It travels in environment variables, so the same request works for any engine, a read-only root file system, and an interpreter of
this machine.
"""

from __future__ import annotations

import io
import zipfile
from functools import cache

from validator.base.resources import PROBE
from validator.model import UserModel

#: Where the file of the user's model lies in the zipapp.
MODEL_FOLDER = "validator_model"
#: Runs under the environment's interpreter, any since 3.6. The plan goes on through a pipe, which holds 64 KiB unread; a plan is
#: a few hundred bytes. stdin stays what it is: over it the host talks to the supervisor. The run's mark goes on the command line,
#: where it can be read of a process that hides all else.
BOOTSTRAP = """\
import base64, json, os, sys, tempfile
try:
    names = ["VALIDATOR_PROBE_ZIP_%d" % number for number in range(int(os.environ.pop("VALIDATOR_PROBE_PARTS")))]
    packed = base64.b64decode("".join([os.environ.pop(name) for name in names]), validate=True)
    plan = os.environ.pop("VALIDATOR_PROBE_PLAN")
    path = os.path.join(tempfile.mkdtemp(prefix="validator-probe-", dir=json.loads(plan)["scratch"]), "probe.zip")
    with open(path, "wb") as file:
        file.write(packed)
    reader, writer = os.pipe()
    os.write(writer, plan.encode())
    os.close(writer)
    os.set_inheritable(reader, True)
    mark = "VALIDATOR_RUN=" + os.environ.get("VALIDATOR_RUN", "")
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-B", path, "supervisor", str(reader), mark])
except (KeyError, ValueError) as error:
    sys.exit("validator probe: the environment did not pass the probe on unchanged: %r" % error)
except OSError as error:
    sys.exit("validator probe: cannot start, a writable folder and a runnable interpreter are needed: %s" % error)
"""
#: Characters of one variable. Linux refuses a single text of an environment beyond 128 KiB (MAX_ARG_STRLEN), name and all.
PART_CHARS = 96 * 1024


@cache
def pack(model: UserModel | None = None) -> bytes:
    """The probe as a zipapp, with the file of the user's model where there is one; the same bytes every time."""
    entries = {"__main__.py": b"from validator_probe.main import main\n\nmain()\n"}
    for path in sorted(PROBE.rglob("*.py")):
        entries["validator_probe/" + path.relative_to(PROBE).as_posix()] = path.read_bytes()
    if model is not None and model.content is not None:
        entries[f"{MODEL_FOLDER}/{model.file}"] = model.content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)  # its date is 1980, whatever the file's
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def command(python: str) -> tuple[str, ...]:
    """The argv that starts the probe with this interpreter."""
    return (python, "-I", "-S", "-B", "-c", BOOTSTRAP)
