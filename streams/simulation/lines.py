"""Reports as lines of JSON, in the form that upstream publishes (contract section 2).

Templates replace a JSON encoder: every value is made here and needs no escaping.
"""

from domain.basics.weeks import day_text
from domain.citizen.reports import CaseFact, Income, Payment, Report
from streams.simulation.habits import DAY_SECONDS, EPOCH_DAY
from streams.simulation.reporters import INHABITANTS

_HEAD = '{"schema":1,"type":"TYPE","report_id":"%s","reporter":"%s","reported_at":"%s","cpr":"%s",'
_PERIOD = '"period_start":"%s","period_end":"%s","amount_ore":%d,'
_DETAILS = (
    '"atp_ore":%d,"paying_municipality":%s,"financing_municipality":%s,'
    '"channel":"%s","outside_act":%s}\n'
)

_MONEY = _HEAD.replace("TYPE", "benefit_payment") + '"benefit":"%s",' + _PERIOD
_PAYMENT = _MONEY + _DETAILS
_SHORT_PAYMENT = _MONEY + '"paying_municipality":%s,"channel":"%s"}\n'
_INCOME = _HEAD.replace("TYPE", "income") + '"kind":"%s",' + _PERIOD + '"pension_ore":%d}\n'
_FACT = _HEAD.replace("TYPE", "case_fact") + '"fact":"%s","date":"%s"}\n'
_REVERSAL = _HEAD.replace("TYPE", "reversal") + '"reverses":"%s"}\n'

_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60))
_SECONDS = tuple(f"{second:02d}Z" for second in range(60))
_MUNICIPALITY = {None: "null"} | {code: f'"{code}"' for code in INHABITANTS}


def line(report: Report, cpr: str, at: int) -> str:
    """Write one line with its line feed. `at` is `reported_at` in seconds since 1970."""
    if isinstance(report, Payment):
        return _payment(report, cpr, time_text(at))
    if isinstance(report, Income):
        _, _, kind, start, end, amount_ore, pension_ore, *_ = report
        period = (day_text(start), day_text(end), amount_ore)
        return _INCOME % (
            report.report_id,
            report.reporter,
            time_text(at),
            cpr,
            kind,
            *period,
            pension_ore,
        )
    if isinstance(report, CaseFact):
        fact = (report.fact, day_text(report.date))
        return _FACT % (report.report_id, report.reporter, time_text(at), cpr, *fact)
    return _REVERSAL % (report.report_id, report.reporter, time_text(at), cpr, report.reverses)


def time_text(at: int) -> str:
    """Write seconds since 1970 as an RFC 3339 time in UTC."""
    minutes, second = divmod(at % DAY_SECONDS, 60)
    return day_text(EPOCH_DAY + at // DAY_SECONDS) + _MINUTES[minutes] + _SECONDS[second]


def _payment(report: Payment, cpr: str, reported_at: str) -> str:
    """Write a payment; the systems for sickness benefit leave out what has a default."""
    (
        reporter,
        number,
        benefit,
        start,
        end,
        amount_ore,
        atp_ore,
        paying,
        financing,
        channel,
        outside_act,
        *_,
    ) = report
    head = (number, reporter, reported_at, cpr, benefit, day_text(start), day_text(end), amount_ore)
    if benefit == "SDP-B" and financing == paying and not (atp_ore or outside_act):
        return _SHORT_PAYMENT % (*head, _MUNICIPALITY[paying], channel)
    outside = "true" if outside_act else "false"
    return _PAYMENT % (
        *head,
        atp_ore,
        _MUNICIPALITY[paying],
        _MUNICIPALITY[financing],
        channel,
        outside,
    )
