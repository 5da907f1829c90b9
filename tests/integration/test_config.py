"""The configuration: its example is its reference, and a mistake is told with file, line and remedy."""
import subprocess

from vendgate.places import ROOT, program


def run(*arguments):
    return subprocess.run([program("vendgated"), *arguments], capture_output=True, text=True, timeout=20,
                          env={"PATH": "/usr/bin:/bin"})


def test_the_example_in_the_repository_is_what_the_program_says():
    assert (ROOT / "deploy/vendgated.ini").read_text() == run("--example-config").stdout


def test_a_mistake_names_file_and_line(tmp_path):
    file = tmp_path / "vendgated.ini"
    file.write_text("[store]\nurl = postgresql:///x\nbach = 3\n")
    result = run("--config", str(file), "--check-config")
    assert result.returncode != 0
    assert f"{file}:3" in result.stderr and "bach" in result.stderr


def test_a_value_out_of_range_is_refused(tmp_path):
    file = tmp_path / "vendgated.ini"
    file.write_text("[timers]\nselection = 1s\n")
    result = run("--config", str(file), "--check-config")
    assert result.returncode != 0
    assert "selection" in result.stderr
