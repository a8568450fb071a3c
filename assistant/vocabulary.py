"""The words by which a question tells what it asks for; read by assistant/reading.py."""

import re
from typing import Literal

from assistant.times import DAYS, MONTHS

Kind = Literal["happened", "why", "count", "compare", "top", "similar", "waiting", "how"]
What = Literal["flags", "cases", "commands", "events", "errors", "amount"]

ENTITY_WORDS = {
    "account": "account", "card": "account", "customer": "account", "client": "account", "holder": "account",
    "counterparty": "counterparty", "merchant": "counterparty", "terminal": "counterparty", "shop": "counterparty",
    "payee": "counterparty", "service": "service", "api": "service", "endpoint": "service", "series": "series",
    "metric": "series", "sensor": "series",
}  # fmt: skip
CERTAIN = frozenset({"account", "card", "counterparty", "terminal", "merchant", "service"})
PLURALS = {
    **{f"{word}s": kind for word, kind in ENTITY_WORDS.items() if not word.endswith(("y", "s"))},
    "counterparties": "counterparty",
    "series": "series",
}
OUTCOMES = {"confirmed": "confirmed", "dismissed": "dismissed", "unresolved": "unresolved", "undecided": "unresolved"}

NOT_NAMES = frozenset(
    re.findall(
        r"\w+",
        """
        a about account activity after alerts all an and anomalies anomaly any are as at be been before behave
        behavior behaviour between blocked broken busiest by can case cases compare confirmed day days did dismissed
        do does down during each error every failing fewer flagged for from get got had happen happened
        has have having highest holder hour hours how i in is it its last less like locked made make many me month
        more most much my needs new night no of on one open or our other owner same seen service
        should show similar since slow so strange such tell than that the their them then there these they this those
        to today top unresolved up was we week weeks were what when where which who why will with worse
        worst yesterday you your
        """,
    )
) | frozenset(DAYS) | frozenset(MONTHS)  # fmt: skip

COUNTED = frozenset({"payments", "requests", "transactions", "errors", "events"})  # names too, unless they are counted

HOW = re.compile(
    r"""\bhow\ (do|to|can|should|would|might)\b | \bwhat\ to\ do\b | \bwhat\ now\b | \bsteps\ (for|to)\b | \brunbook\b
    | \bwhat\ (should|can|must|do)\ (i|we|one)\ (do|check|look)(?!.{0,12}\b(now|next|first)\b)
    | \bwhat\ (is|are)\ (a|an|the\ (signs|symptoms|causes|steps|difference))\b | \bwhat\ does\b.{0,40}\bmean\b
    | \bshould\ (i|we)\b | \bwhen\ (should|may|not\ to)\b""",
    re.IGNORECASE | re.VERBOSE,
)
DESPITE_HOW = re.compile(r"\b(why|happen\w*|compar\w+)\b", re.IGNORECASE)

_KINDS: tuple[tuple[Kind, str], ...] = (  # the first that fits
    ("compare",
     r"""\bcompar\w+ | \bversus\b | \bvs\b | \bdifference\ between\b | \bagainst\ (yesterday|last|usual)
     | \b(more|fewer|less|higher|lower|worse|better|slower|faster)\b.{0,60}\bthan\b"""),
    ("similar",
     r"""\bsimilar\b | \b(cases?|incidents?|anything|something)\ like\b | \blike\ (this|it|that)\ (before|one) | \bresembl\w+
     | \b(seen|had|happen\w*)\ (this|it|that)?\s*before\b | \bsame\ pattern\b | \bprecedents?\b"""),
    ("waiting",
     r"""\bneeds?\ (me|us|attention|doing|a\ (person|decision))\b | \bopen\ cases\b | \binbox\b | \bto-?do\b | \bpending\b
     | \banything\ (urgent|open|for\ me)\b | \b(look\ at|do)\ (now|next|first)\b | \bwaiting\ (for|on)\b | \bundecided\b"""),
    ("count",
     r"""\bhow\ (many|much|often)\b | \bnumber\ of\b | \bcount\b | \btotal\ (of|number|amount)\b | \bdid\b.{1,60}\bspend\b"""),
    ("why",
     r"""^\W*why\b | \bwhy\W*$ | \bwhy\ (was|were|is|are|did|does|do|has|have|not)\b | \bwhat\ (caused|explains)\b
     | \breasons?\ (for|why|behind)\b | \broot\ cause\b | \bexplain\b"""),
    ("top",
     r"""\btop\b(\s+\d+)? | \b(which|what|who)\b.{0,60}\b(most|worst|highest|largest|biggest|busiest|slowest|strangest)\b
     | \b(most|worst|busiest|slowest|largest|biggest)\ (flagged|affected|unusual|active|suspicious|accounts?|services?|terminals?
     |counterpart\w+|merchants?|cases?|anomal\w+)\b"""),
    ("happened",
     r"""\bwhat('s|\ is|\ has|\ was|\ did)?\b.{0,20}\b(happen\w*|going\ on|went\ wrong|wrong|up\ with|do(ing)?)\b
     | \btell\ me\ about\b | \bstatus\ of\b | \bhow\ (is|are|was|were|did)\b | \bsummar\w+
     | \banything\ (strange|unusual|wrong|new|odd)\b | \bshow\ me\b | \bstory\ of\b
     | \bwhat\ do\ (we|you)\ know\b | \boverview\b | \bactivity\b | \bnews\b"""),
)  # fmt: skip
KINDS = tuple((kind, re.compile(pattern, re.IGNORECASE | re.VERBOSE)) for kind, pattern in _KINDS)

_WHATS: tuple[tuple[What, str], ...] = (
    ("commands", r"\b(commands?|proposals?|blocks?|blocked|actions?)\b"),
    ("cases", r"\b(cases?|incidents?|rulings?|confirmed|dismissed|unresolved)\b"),
    ("errors", r"\b(errors?|fail\w*|5\d\ds?)\b"),
    ("amount", r"\b(amounts?|sums?|spen[dt]\w*|money|how much|worth|euros?|dollars?)\b"),
    ("flags", r"\b(anomal\w+|flag\w*|alerts?|hits?|episodes?|unusual|strange|suspicious)\b"),
    ("events", r"\b(payments?|transactions?|requests?|events?|readings?|purchases?|calls?|busiest|active|traffic)\b"),
)  # fmt: skip
WHATS = tuple((what, re.compile(pattern, re.IGNORECASE)) for what, pattern in _WHATS)

EVENT_KINDS = (
    ("account", re.compile(r"\b(payments?|transactions?|purchases?|spen[dt]\w*)\b", re.IGNORECASE)),
    ("service", re.compile(r"\b(requests?|calls?|traffic)\b", re.IGNORECASE)),
    ("series", re.compile(r"\breadings?\b", re.IGNORECASE)),
)

FOLLOWS = re.compile(r"^\W*(and|what about|how about|also|then|why\b(?!.*\b(account|service)\b))", re.IGNORECASE)
POINTS = re.compile(
    r"\b(it|its|this|that|they|their|them|he|she|his|her|there|same|the (case|account|service|terminal))\b", re.IGNORECASE
)
