"""The verifying functions of docs/webhooks.md, each run where its language is, over what is right and what is not."""
import base64
import hashlib
import hmac
import re
import shutil
import subprocess

import pytest

from vendgate.places import ROOT

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_KEY = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PUBLIC = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8032, test 1
OTHER_PUBLIC = "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="  # test 2
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
# Published with Standard Webhooks, and made by another library from RFC 8032's key.
RIGHT = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
RIGHT_V1A = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="
WRONG = "v1," + base64.b64encode(bytes(32)).decode()
WRONG_V1A = "v1a," + base64.b64encode(bytes(64)).decode()


def sign(body, key=KEY, at=AT):
    text = f"{ID}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(base64.b64decode(key[6:]), text, hashlib.sha256).digest()).decode()


def case(expected, keys=(KEY,), id_=ID, at=str(AT), signature=RIGHT, body=BODY, now=AT, v1a=False):
    return {"expected": expected, "v1a": v1a,
            "fields": (",".join(keys), id_, at, signature, body, str(now))}


CASES = {
    "right": case(True),
    "right, of another key": case(True, [OTHER_KEY], "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553",
                                  "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
                                  b'{"email":"test@example.com","username":"test_user"}', 1649367553),
    "wrong key": case(False, [OTHER_KEY]),
    "altered body": case(False, body=BODY.replace(b"4}", b"5}")),
    "a byte more": case(False, body=BODY + b" "),
    "altered id": case(False, id_=ID + "x"),
    "altered timestamp": case(False, at=str(AT + 1)),
    "as old as may be": case(True, now=AT + 300),
    "old": case(False, now=AT + 301),
    "very old": case(False, now=AT + 10 ** 9),
    "as new as may be": case(True, now=AT - 300),
    "from the future": case(False, now=AT - 301),
    "the second of two signatures": case(True, signature=f"{WRONG} {RIGHT}"),
    "the first of two signatures": case(True, signature=f"{RIGHT} {WRONG}"),
    "two wrong signatures": case(False, signature=f"{WRONG} {sign(BODY, OTHER_KEY)}"),
    "beside an unknown version": case(True, signature=f"v9,AAAA {RIGHT}"),
    "beside v1a": case(True, signature=f"{RIGHT_V1A} {RIGHT}"),
    "during a rotation, by the old key": case(True, [OTHER_KEY, KEY]),
    "during a rotation, by both": case(True, [KEY, OTHER_KEY], signature=f"{sign(BODY, OTHER_KEY)} {RIGHT}"),
    "UTF-8": case(True, body="Café ☕".encode(), signature=sign("Café ☕".encode())),
    "no UTF-8": case(True, body=b"\xff\x00\xfe", signature=sign(b"\xff\x00\xfe")),
    "empty body": case(True, body=b"", signature=sign(b"")),
    "long body": case(True, body=b"x" * 65536, signature=sign(b"x" * 65536)),
    "right, as another version": case(False, signature=RIGHT.replace("v1,", "v2,")),
    "right, without a version": case(False, signature=RIGHT[3:]),
    "half a signature": case(False, signature=RIGHT[:24]),
    "a signature in hexadecimal": case(False, signature="v1," + base64.b64decode(RIGHT[3:]).hex()),
    "an empty signature": case(False, signature="v1,"),
    "only a version": case(False, signature="v1"),
    "no base64": case(False, signature="v1,!!!!"),
    "commas": case(False, signature=",,, ,"),
    "blanks": case(False, signature="   "),
    "bytes": case(False, signature="v1,\xff\xfe"),
    "an empty header": case(False, signature=""),
    "no signature": case(False, signature=None),
    "no id": case(False, id_=None),
    "an empty id": case(False, id_="", signature=sign(BODY)),
    "no timestamp": case(False, at=None),
    **{f"timestamp {at!r}": case(False, at=at)
       for at in ("", "soon", f"{AT}x", f"-{AT}", f"+{AT}", f"{AT}.0", f"{AT}e0", f" {AT}", "9" * 40)},
    "v1a": case(True, [PUBLIC], signature=RIGHT_V1A, v1a=True),
    "v1a, both keys known": case(True, [KEY, PUBLIC], signature=RIGHT_V1A, v1a=True),
    "v1a behind others": case(True, [PUBLIC], signature=f"{RIGHT} {WRONG_V1A} {RIGHT_V1A}", v1a=True),
    "v1a of another key": case(False, [OTHER_PUBLIC], signature=RIGHT_V1A),
    "v1a, altered body": case(False, [PUBLIC], signature=RIGHT_V1A, body=BODY + b" "),
    "v1a, old": case(False, [PUBLIC], signature=RIGHT_V1A, now=AT + 301),
    "v1a, wrong": case(False, [PUBLIC], signature=WRONG_V1A),
    "v1a, too short": case(False, [PUBLIC], signature="v1a,AAAA"),
    "v1a, no base64": case(False, [PUBLIC], signature="v1a,!!!!"),
    "v1a called v1": case(False, [KEY, PUBLIC], signature=RIGHT_V1A.replace("v1a,", "v1,")),
    "v1 called v1a": case(False, [KEY, PUBLIC], signature=RIGHT.replace("v1,", "v1a,")),
    "v1 for one who knows the public key only": case(False, [PUBLIC]),
}

# Language of the snippet: where it goes, its driver, what must be there, how it is built and run, whether it knows v1a.
LANGUAGES = {
    "python": ("snippet.py", "main.py", "python3", [["python3", "main.py"]], False),
    "javascript": ("snippet.js", "main.js", "node", [["node", "main.js"]], True),
    "php": ("snippet.php", "main.php", "php", [["php", "main.php"]], True),
    "go": ("webhooks/webhooks.go", "main.go", "go", [["go", "build", "-o", "main"], ["./main"]], True),
    "java": ("Webhooks.java", "Main.java", "javac",
             [["javac", "-Xlint:all", "-Werror", "Main.java", "Webhooks.java"], ["java", "Main"]], True),
}


def snippets(language):
    guide = (ROOT / "docs/webhooks.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)


def encoded(fields):
    def one(field):
        if field is None:
            return "-"
        return base64.b64encode(field if isinstance(field, bytes) else field.encode("latin-1")).decode()
    return " ".join(map(one, fields)) + "\n"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_guides_function_accepts_what_is_right_and_nothing_else(language, tmp_path):
    path, driver, program, commands, v1a = LANGUAGES[language]
    assert len(snippets(language)) == 1, "the guide has one function for each language"
    if not shutil.which(program):
        pytest.skip(f"{program} is not on this machine")
    target = tmp_path / path
    target.parent.mkdir(exist_ok=True)
    target.write_text(snippets(language)[0])
    shutil.copy(ROOT / "tests/webhooks" / driver, tmp_path)
    (tmp_path / "go.mod").write_text("module example\n")
    cases = {name: made for name, made in CASES.items() if v1a or not made["v1a"]}
    told = "".join(encoded(made["fields"]) for made in cases.values())
    for command in commands:
        result = subprocess.run(command, cwd=tmp_path, input=told, capture_output=True, text=True, timeout=120,
                                check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    got = dict(zip(cases, result.stdout.split("\n")[:-1], strict=True))
    assert got == {name: "true" if made["expected"] else "false" for name, made in cases.items()}


def test_the_guide_tells_the_vector_that_is_tested():
    guide = (ROOT / "docs/webhooks.md").read_text()
    for text in (KEY, ID, str(AT), BODY.decode(), RIGHT):
        assert f"`{text}`" in guide
