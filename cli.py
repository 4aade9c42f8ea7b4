"""The `gatehouse` command; exit status 0 only when all is well."""

from __future__ import annotations

import typer

from commands import (
    access,
    ask,
    audit,
    changes,
    evaluate,
    lines,
    operate,
    people,
    policy,
    semantics,
    template,
)

app = typer.Typer(
    name="gatehouse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An analyst console with a guarded data agent.",
)
app.command()(operate.init)
app.command()(operate.serve)
app.command()(operate.connect)
app.command()(operate.grants)
app.command()(operate.doctor)
app.command()(ask.ask)
app.command()(ask.query)
app.command()(template.template)
app.command("eval")(evaluate.evaluate)
app.command()(lines.classify)
app.command()(lines.redact)
app.command()(lines.lineage)
app.add_typer(changes.app, name="changes")
app.add_typer(audit.app, name="audit")
app.add_typer(people.app, name="people")
app.add_typer(access.app, name="access")
app.add_typer(policy.app, name="policy")
app.add_typer(semantics.app, name="semantics")


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
