"""Show and set what the TOM knows of a campaign."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tom_desc.campaigns.clock import now, recount_sent
from tom_desc.campaigns.models import Campaign
from tom_desc.campaigns.registry import campaign, campaigns
from tom_desc.mjd import utc


class Command(BaseCommand):
    help = "Show a campaign's zeropoint, clock and state; set its clock or whether it has ended."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=[info.name for info in campaigns()])
        parser.add_argument(
            "--clock", choices=Campaign.Clock.values, help="where now in survey time comes from"
        )
        parser.add_argument(
            "--ended", choices=("yes", "no"), help="an ended campaign shows its truth to users"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        changes: dict[str, Any] = {}
        if options["clock"]:
            changes["clock"] = options["clock"]
        if options["ended"]:
            changes["ended"] = options["ended"] == "yes"
        rows = Campaign.objects.filter(name=options["name"])
        if changes and not rows.update(**changes):
            raise CommandError(f"campaign {options['name']} has no row: run manage.py migrate")
        if options["clock"] == Campaign.Clock.SENT:
            recount_sent(campaign(options["name"]))
        self.show(rows.get())

    def show(self, row: Campaign) -> None:
        info = campaign(row.name)
        mjd = now(info).mjd
        moment = f"MJD {mjd:.5f} ({utc(mjd):%Y-%m-%d %H:%M} UTC)" if mjd is not None else "nothing loaded yet"
        zeropoint = (
            f"{row.zeropoint:g} ({row.flux_unit})" if row.zeropoint is not None else "nothing loaded yet"
        )
        self.stdout.write(
            f"{info.title}\n"
            f"  clock      {row.clock}: now is {moment}\n"
            f"  zeropoint  {zeropoint}\n"
            f"  ended      {'yes' if row.ended else 'no'}"
        )
