"""The program that runs inside an environment: the standard library and torch only, Python 3.6 syntax.

Packed as one zipapp under the name ``validator_probe`` and never imported by the host side.

    supervisor   the process the host reads and talks to; alone knows the nonce; never imports torch
    worker       a process that imports torch and runs checks when the supervisor orders them
"""
