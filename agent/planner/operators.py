"""The closed class: English words that structure a question, whatever the schema."""

from __future__ import annotations

from typing import Literal

Op = Literal[
    "adjective",
    "and",
    "asc",
    "avg",
    "be",
    "between",
    "by",
    "cmp",
    "comparative",
    "compare",
    "count",
    "desc",
    "distinct",
    "distribution",
    "each",
    "earliest",
    "extreme",
    "grain",
    "growth",
    "have",
    "howlong",
    "howmuch",
    "latest",
    "lead",
    "like",
    "max",
    "min",
    "more",
    "most",
    "never",
    "no",
    "noise",
    "not",
    "null",
    "only",
    "or",
    "orless",
    "ormore",
    "popular",
    "prep",
    "ratio",
    "running",
    "selling",
    "share",
    "sort",
    "sum",
    "superlative",
    "take",
    "their",
    "times",
    "to",
    "top",
    "trend",
    "unit",
    "vs",
    "when",
    "which",
    "who",
    "whose",
    "with",
    "without",
]

PHRASES: dict[tuple[str, ...], tuple[Op, str]] = {}


def _say(op: Op, phrases: str, argument: str = "") -> None:
    for phrase in phrases.split("|"):
        PHRASES[tuple(phrase.split())] = (op, argument)


_say("count", "how many|number of|count of|count|total number of|counts of|nr of|how many of")
_say("count", "no of|nos of|num of|count the|volume of")
_say("count", "volume|volumes")
_say("howmuch", "how much")
_say("howlong", "how long")
_say("sum", "total|sum|overall|combined|sum of|total of|sum up")
_say("avg", "average|mean|avg|on average|average of|mean of|averaged")
_say("max", "maximum|max")
_say("min", "minimum|min")
_say("most", "most", "desc")
_say("most", "fewest|least", "asc")
_say("extreme", "highest|greatest|largest|biggest", "desc")
_say("extreme", "lowest|smallest", "asc")
_say("top", "top|best|leading", "desc")
_say("top", "bottom|worst", "asc")
_say("top", "rank|ranking of|ranking", "rank")
_say("latest", "latest|most recent|newest|last|most recently", "desc")
_say("earliest", "earliest|first|oldest", "asc")
_say("popular", "popular|common|frequent|frequently used|used|commonly used|often used")
_say("selling", "best selling|top selling|best sellers|bestselling|most sold|best sold", "desc")
_say("selling", "worst selling|least sold", "asc")
_say("by", "by|broken down by|split by|grouped by|group by|breakdown by|segmented by|according to")
_say("by", "split up by|split out by|broken out per|broken down into|split into")
_say("by", "broken down per|split per|broken out by")
_say("each", "per|for each|in each|each|every|for every|of each|by each|from each|within each")
_say("each", "in every|across")
_say("cmp", "more than|over|above|greater than|higher than|exceeding|exceeds|larger than|>", ">")
_say("cmp", "bigger than|exceed|beyond", ">")
_say("cmp", "at least|no less than|not less than|no fewer than|a minimum of|>=|minimum of", ">=")
_say("cmp", "less than|under|below|fewer than|lower than|smaller than|<", "<")
_say("cmp", "at most|no more than|up to|not more than|a maximum of|<=|maximum of", "<=")
_say("cmp", "exactly|equal to|equals|=|equaling", "=")
_say("cmp", "!=|<>|not equal to", "<>")
_say("between", "between|ranging from")
_say("ormore", "or more|and above|or above|or higher|and more|and up|+")
_say("orless", "or less|or fewer|or below|and below|or lower")
_say("without", "without|lacking|with no|having no|have no|has no|had no|with zero|without any")
_say("without", "that have no|who have no|have zero|has zero|with not a single|have not any")
_say("no", "no|none|zero|not any")
_say("never", "never|not ever|not yet|never ever")
_say("not", "not|non|other than|except|except for|excluding|excl|outside|outside of|apart from")
_say("not", "but not|besides|not in|not from|ignoring|not including")
_say("who", "who|that|whom")
_say("whose", "whose|where")
_say("which", "which|what")
_say("with", "with|having|with a|with an|with the")
_say("have", "has|have|had|got|gets|get|received|receive|generate|generated|generates")
_say("have", "brought in|bring in|brings in|made|makes|make|earns|produces|produced")
_say("be", "is|are|was|were|be|been|being|comes from|came from|come from|coming from|belong to")
_say("and", "and|,|as well as|plus|and also|but|but also")
_say("or", "or|either")
_say("vs", "vs|versus|compared to|compared with|against")
_say("compare", "compare|comparison of|comparison|comparing")
_say("more", "more|higher|better|larger|bigger|greater", "desc")
_say("more", "fewer|less|lower|smaller", "asc")
_say("distinct", "distinct|different|unique|distinctive")
_say(
    "share", "share of|percentage of|percent of|proportion of|fraction of|share|percentage|percent"
)
_say("share", "how many percent of|what percent of|% of|pct of|shares of|percentages of|%")
_say("distribution", "distribution of|distribution|mix of")
_say(
    "running", "running total of|running total|cumulative|cumulated|running sum of|running count of"
)
_say("running", "cumulatively|running totals of|accumulated|running number of")
_say("growth", "growth|growth rate|growth of|growth in|growth rate of|growth rates")
_say("growth", "month over month|month on month|mom|month by month change", "month")
_say("growth", "year over year|year on year|yoy", "year")
_say("growth", "quarter over quarter|quarter on quarter|qoq", "quarter")
_say("growth", "week over week|week on week|wow", "week")
_say("growth", "day over day", "day")
_say("ratio", "ratio of|ratio")
_say("to", "to")
_say(
    "like", "contains|contain|containing|include|includes|including|mention|mentioning", "contains"
)
_say("like", "mentions|like|included|contained|featuring|featured", "contains")
_say("like", "starts with|start with|starting with|beginning with|begins with|begin with", "starts")
_say("like", "ends with|ending with|ending in|end with|ends in|end in", "ends")
_say("like", "called|named|titled|entitled", "equals")
_say("null", "missing|empty|blank|null|unknown|not set|unset|undefined")
_say("sort", "sorted by|ordered by|order by|sort by|ranked by|rank by|in order of|sorted|sort")
_say("asc", "ascending|asc|lowest first|smallest first|oldest first|from lowest to highest")
_say("desc", "descending|desc|highest first|largest first|newest first|from highest to lowest")
_say("asc", "fewest first|lowest to highest")
_say("desc", "biggest first|most first|highest to lowest")
_say("times", "times|time")
_say("when", "when|on what date|what date|on which date|which date|the date of|date of")
_say("take", "take|takes|took|taken|taking|does it take|did it take|do they take|it takes")
_say("their", "their|its|his|her")
_say("only", "only")
_say("adjective", "expensive|pricey|costly", "price:desc")
_say("adjective", "cheap|inexpensive|affordable", "price:asc")
_say("adjective", "profitable", "profit:desc")
_say("superlative", "cheapest|most affordable", "price:asc")
_say("superlative", "priciest|costliest|dearest", "price:desc")
_say("superlative", "longest", "length:desc")
_say("superlative", "shortest", "length:asc")
_say("superlative", "heaviest", "weight:desc")
_say("superlative", "lightest", "weight:asc")
_say("comparative", "cost|costs|costing|priced at", "price:=")
_say("comparative", "cheaper than|less expensive than|cheaper", "price:<")
_say("comparative", "cost more than|costs more than|cost over|cost above|costs over", "price:>")
_say("comparative", "costing more than|costing over|priced over|priced above", "price:>")
_say("comparative", "cost less than|costs less than|cost under|cost below|costs under", "price:<")
_say("comparative", "costing less than|costing under|priced under|priced below", "price:<")
_say("comparative", "cost at least|costs at least|costing at least", "price:>=")
_say("comparative", "cost at most|costs at most|costing at most|cost up to", "price:<=")
_say("comparative", "more expensive than|pricier than|costlier than|dearer than", "price:>")
_say("comparative", "longer than", "length:>")
_say("comparative", "shorter than", "length:<")
_say("comparative", "heavier than", "weight:>")
_say("comparative", "lighter than", "weight:<")
_say("comparative", "older than", "age:>")
_say("comparative", "newer than|younger than|more recent than", "age:<")
_say("grain", "daily|day|days|date|by date|day by day", "day")
_say("grain", "weekly|week|weeks|calendar week|week by week", "week")
_say("grain", "monthly|month|months|month by month|calendar month", "month")
_say("grain", "quarterly|quarter|quarters|quarter by quarter", "quarter")
_say("grain", "yearly|annual|annually|year|years|year by year|calendar year", "year")
_say("grain", "weekday|weekdays|day of the week|day of week|days of the week", "weekday")
_say("grain", "hour|hours|hour of day|hour of the day|hourly|time of day", "hour")
_say("prep", "in|on|at|from|for|of|via|through|as|into|among|within|during|onto|inside|about")
_say("prep", "located in|based in|living in|come in|came in|coming in|using|belonging to|regarding")
_say(
    "prep",
    "living|live|lives|located|based|reside|coming|came|come|comes|made by|made with|made in",
)
_say("prep", "made via|made through|made from|related to|concerning|out of|by means of")
_say("unit", "minute|minutes|mins", "minute")
_say("unit", "second|seconds|sec|secs", "second")
_say("unit", "millisecond|milliseconds|ms", "millisecond")
_say("noise", "euro|euros|dollar|dollars|usd|eur|pounds|gbp|yet|issued|breakdown")
_say("noise", "breakdown of|split of|we sell|do we sell|anything|something|ones|there|all")
_say("noise", "the|a|an|our|we|us|me|my|i|you|please|do|does|did|would|could|can|any|how|am|s")
_say(
    "noise", "currently|current|still|now|ever|also|so far|then|each of|in total|in all|altogether"
)
_say("noise", "recorded|exist|exists|existing|on record|carry|offer|details of|details|details for")
_say("noise", "overview of|with us|of ours|one of|have we|do we have|did we have|we have|there are")
_say("noise", "were there|are there|is there|that we have|that there are")
_say(
    "noise",
    "altogether|in terms of|has been|have been|had been|look like|thanks|thank|kindly|quickly",
)
_say("lead", "show|list|give|display|tell|find|fetch|return|see|want|know|need|report|print|output")
_say(
    "lead",
    "let|lets|get me|provide|would like|i'd like|like to know|like to see|look up|to see",
)
_say("lead", "looking|want to see|to know|hello|hi|hey|information|info")
_say("noise", "in the database|in the system|in our system|on file|on our books|on the books")
_say("noise", "were used|was used|is used|are used")
_say("lead", "detail|overview")
_say("trend", "trend|trends|trend of|trend in|over time|change over time|evolution of|evolution")
_say("trend", "development of|development|develop|developed|evolve|evolved")
