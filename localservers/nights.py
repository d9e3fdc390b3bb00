"""What goes on after the demo's farewell: a night of the survey a minute, so that the hot list lives.

The survey itself says what comes next, the first night with alerts that were not sent: the demo may be
stopped at any moment, and the next one goes on there.
"""

import subprocess
import time

from localservers import LocalServerError
from localservers.answering import Brokers
from localservers.run import Command, Demo
from localservers.survey import start_over

SECONDS_A_NIGHT = 60.0
# As many days as the page looks back.
HOT_DAYS = 30

# A night lasts from noon to noon (UTC) and is called by the MJD between them.
TO_COME = """
SELECT ceil(midpointtai - 0.5) AS night
  FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)
 WHERE alertsenttimestamp IS NULL
"""
NEXT = f"SELECT min(night) FROM ({TO_COME}) nights"
LEFT = f"SELECT count(DISTINCT night) FROM ({TO_COME}) nights"
UNREVEALED = "SELECT count(*) FROM elasticc2_brokernews"

SEEN = """
WITH night AS (
    SELECT diaobject_id FROM elasticc2_diasource
     WHERE midpointtai > {night} - 0.5 AND midpointtai <= {night} + 0.5
), first AS (
    SELECT FROM night JOIN elasticc2_diasource USING (diaobject_id)
     GROUP BY diaobject_id HAVING min(midpointtai) > {night} - 0.5
), hot AS (
    SELECT DISTINCT diaobject_id FROM elasticc2_diasource, elasticc2_clock
     WHERE midpointtai BETWEEN mjd_now - {days} AND mjd_now
)
SELECT format('%s alerts, %s new objects; %s hot', (SELECT count(*) FROM night), (SELECT count(*) FROM first),
              (SELECT count(*) FROM hot))
"""

FROM_HERE_ON = """
  From here on a night of the survey passes every minute: its alerts go out, the brokers answer, and the
  hot list moves. Nights with alerts that are still to come: {left}.
"""
IS_OVER = """
  The survey's last night has passed; the web server goes on. For a survey around tonight stop it, then
    {start_over}
"""


def next_night(demo: Demo) -> str:
    """The first night with an alert that was not sent; empty after the last."""
    return demo.query(NEXT)


def outlook(demo: Demo) -> str:
    """What the farewell says of the nights to come; nothing where there are none."""
    left = int(demo.query(LEFT))
    return FROM_HERE_ON.format(left=left) if left else ""


def finish_what_was_begun(demo: Demo) -> None:
    """Reveal what a run that was stopped in the midst of a night left to do."""
    if demo.query(UNREVEALED) != "0":
        demo.run("light curves of what they saw", "update_elasticc2_sources")


def go_on(demo: Demo, *, brokers: Brokers, web: Command) -> None:
    """Let a night pass every minute until the web server ends; a failed one is tried again."""
    night = ""
    while True:
        began = time.monotonic()
        try:
            night = night or next_night(demo)
            if not night:
                break
            demo.progress.say(f"  night of MJD {night}: {passed(demo, night, brokers=brokers)}")
            night = ""
        except (LocalServerError, OSError) as error:
            demo.progress.say(f"  night of MJD {night or '?'} failed, the next minute tries again: {error}")
        if has_ended(web, within=began + SECONDS_A_NIGHT - time.monotonic()):
            return
    demo.progress.say(IS_OVER.format(start_over=start_over("./tom demo")))
    web.process.wait()


def passed(demo: Demo, night: str, *, brokers: Brokers) -> str:
    """The night's alerts answered and revealed; what it brought."""
    brokers.answer_silently(through=str(int(night) + 0.5))
    demo.run_silently("update_elasticc2_sources")
    return demo.query(SEEN.format(night=night, days=HOT_DAYS))


def has_ended(command: Command, *, within: float) -> bool:
    """Whether the command ends within these seconds."""
    try:
        command.process.wait(max(within, 0.0))
    except subprocess.TimeoutExpired:
        return False
    return True
