"""The options of commands that ask a language model, and the settings that they make."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from wavemill.hypotheses.llm.ask import AskSettings

Command = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--concurrency", type=click.IntRange(1, 4096), default=8, show_default=True,
        help="Requests on their way to a server at once.",
    ),
    click.option("--requests-per-minute", type=click.FloatRange(0, min_open=True)),
    click.option("--tokens-per-minute", type=click.FloatRange(0, min_open=True)),
    click.option(
        "--budget-tokens", type=click.IntRange(0), metavar="N",
        help="Stop before more than so many are used, in all runs of this job together.",
    ),
    click.option(
        "--budget-dollars", type=float, metavar="X", help="The same in dollars; see --price-in."
    ),
    click.option(
        "--price-in", type=float, default=0.0, help="Dollars for a million tokens of questions."
    ),
    click.option(
        "--price-out", type=float, default=0.0, help="Dollars for a million tokens of answers."
    ),
    click.option(
        "--key-env", metavar="NAME",
        help="Variable of the environment that has the server's key: OPENAI_API_KEY if left out.",
    ),
    click.option("--temperature", type=float, help="Of the answers; 0 takes the likeliest."),
    click.option(
        "--max-tokens", type=int, default=256, show_default=True, help="Of an answer."
    ),
    click.option(
        "--set", "body", multiple=True, metavar="KEY=VALUE",
        help="Something else that a server is sent; may come often.",
    ),
    click.option(
        "--timeout", type=float, default=120.0, show_default=True, help="Of a request, in seconds."
    ),
    click.option("--cache", metavar="FOLDER", help="Where answers are kept: DIR/_answers."),
    click.option(
        "--max-unanswered", type=click.FloatRange(0, 1), default=0.05, show_default=True,
        metavar="F", help="Share of questions that may stay without an answer.",
    ),
)  # fmt: skip


def llm_options(command: Command) -> Command:
    """Give a command the options of a language model that is asked."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def ask_settings(
    model: str, prompt: str, folder: str, options: Mapping[str, Any], temperature: float
) -> "AskSettings":
    """Read which model is asked, and how.

    Args:
        model: a server's URL, a folder or a hub name.
        prompt: a name or a file.
        folder: that the command works on.
        options: of the command.
        temperature: if they name none.

    Raises:
        UsageError: a setting is out of range, or two contradict each other.

    """
    from wavemill import storage
    from wavemill.hypotheses.llm.ask import ANSWERS, AskSettings
    from wavemill.hypotheses.llm.budget import Budget
    from wavemill.hypotheses.llm.opening import ChatSettings

    given = options["temperature"]
    return AskSettings(
        chat=ChatSettings(
            model=model,
            key_variable=options["key_env"],
            temperature=temperature if given is None else given,
            most_tokens=options["max_tokens"],
            body=options["body"],
            timeout_seconds=options["timeout"],
            device=options["device"],
            batch=options["batch_size"],
            superposed=options["count"] if options.get("superposed") else 0,
        ),
        prompt=prompt,
        answers=options["cache"] or storage.join(folder, ANSWERS),
        budget=Budget(
            tokens=options["budget_tokens"],
            dollars=options["budget_dollars"],
            price_in=options["price_in"],
            price_out=options["price_out"],
        ),
        concurrency=options["concurrency"],
        requests_a_minute=options["requests_per_minute"],
        tokens_a_minute=options["tokens_per_minute"],
        most_unanswered=options["max_unanswered"],
    )


def spent_lines(spent: Mapping[str, Any]) -> Iterator[str]:
    """Say for people what the questions came to."""
    tokens = spent["prompt_tokens"], spent["completion_tokens"]
    dollars = f", ${spent['dollars']:.4f}" if spent["dollars"] else ""
    yield (
        f"{spent['asked']:,} asked, {spent['kept']:,} answered before, {spent['unanswered']:,}"
        f" without an answer, {spent['tries_again']:,} tries again;"
        f" in all runs {tokens[0]:,} tokens of questions, {tokens[1]:,} of answers{dollars}"
    )
    if spent["lost_tokens"]:
        yield f"requests that failed may have cost another {spent['lost_tokens']:,} tokens"
