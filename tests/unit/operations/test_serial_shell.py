# SPDX-License-Identifier: Apache-2.0
"""Answers of a shell, told from the echo of the question."""

from hypothesis import given
from hypothesis import strategies as st

from liveos.operations.guests.shell import Answer, Question, ask

QUESTION = Question("uname -r", "c0ffee")


def test_the_echo_of_the_question_is_no_answer() -> None:
    assert QUESTION.find_answer("sh-5.2# " + QUESTION.typed) is None


def test_an_answer_stands_between_its_marks() -> None:
    said = f"sh-5.2# {QUESTION.typed}<<c0ffee\n6.1.0\nc0ffee>>0\nsh-5.2# "
    assert QUESTION.find_answer(said) == Answer("6.1.0\n", 0)


def test_an_answer_without_a_newline_at_its_end() -> None:
    assert QUESTION.find_answer("<<c0ffee\nno newlinec0ffee>>127\n") == Answer("no newline", 127)


def test_an_answer_that_is_still_coming() -> None:
    assert QUESTION.find_answer("<<c0ffee\n6.1.0\nc0ffee>>") is None


def test_an_earlier_answer_is_not_taken() -> None:
    assert QUESTION.find_answer("<<beef\nold\nbeef>>0\n") is None


def test_each_question_has_a_token_of_its_own() -> None:
    assert ask("x").token != ask("x").token


@given(st.text())
def test_any_noise_is_an_answer_or_none(said: str) -> None:
    assert QUESTION.find_answer(said) is None or "c0ffee" in said
