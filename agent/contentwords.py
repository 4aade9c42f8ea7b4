"""The words in which people give orders to an agent: patterns by family, in some languages.

They are read on a folded text: small letters, no accents, single spaces (`agent.content`).
`python -m tests.agent.scorer_content` says what they find and what they flag wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping

_AI = r"(?:ai|llm|assistant|agent|chat ?bot|language model|model)"
_OURS = r"(?:the |all |any |every |these |those |your |my |its )*"
_ROLE = (
    r"(?:ai|llm|assistant|agent|admin\w*|dba|root|developer|shell|terminal|hacker|super ?user|"
    r"unrestricted|unfiltered|unlimited|jailbroken|free (?:of|from)|dan)\b"
)
_ADMIN = r"(?:admin\w*|root|dba|super(?:user|usuario)|system|entwickler|desarrollador)"
_FREE = (
    r"(?:ohne (?:einschrankung|beschrankung|regeln)|sans (?:restriction|limite|filtre)|"
    r"sin (?:restricc|limite|filtro)|senza (?:restrizion|limiti|filtri)|sem (?:restric|limite))"
)

_DROP_RULES = (
    # German, French, Spanish, Italian, Portuguese, Dutch: to drop, and what is dropped.
    r"\b(?:ignorier\w*|vergiss|vergesst|missacht\w*|umgeh\w*)\b.{0,30}"
    r"(?:anweisung|instruktion|regel|vorgabe|richtlinie|befehl)",
    r"\b(?:ignore[zr]?|oublie[zr]?|contourne[zr]?)\b.{0,30}(?:instruction|consigne|regle|directive)",
    r"\b(?:ignora\w*|olvida\w*|omite\w*)\b.{0,30}(?:instruccion|regla|directri|ordenes)",
    r"\b(?:ignora\w*|dimentica\w*)\b.{0,30}(?:istruzion|regol|direttiv)",
    r"\b(?:ignore|esqueca\w*|desconsidere)\b.{0,30}(?:instruco|regra|diretri)",
    r"\b(?:negeer|vergeet)\b.{0,30}(?:instructie|regel|richtlijn|opdracht)",
    # Russian, Polish, Chinese, Japanese.
    r"(?:игнорируи?й?|забудь|проигнорируи?й?).{0,30}(?:инструкци|правил|указани)",
    r"\b(?:z?ignoruj|zapomnij)\b.{0,30}(?:instrukcj|zasad|polecen)",
    r"(?:忽略|无视|忘记|忘掉).{0,12}(?:指令|指示|规则|提示)",
    r"(?:指示|命令|ルール|規則).{0,8}(?:無視|忘れ)",
)

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "override": (
        rf"\b(?:ignore|disregard|forget|override|bypass|skip) {_OURS}"
        r"(?:previous|prior|above|earlier|preceding|former|other|system|original|safety|given)? ?"
        r"(?:instruction|rule|prompt|direction|guideline|directive|command|polic|restriction)",
        r"\bfrom now on\b.{0,30}\b(?:rule|polic|restriction|instruction|guideline)\w*\b.{0,20}"
        r"\b(?:not|no longer|n't) ?appl",
        *_DROP_RULES,
    ),
    "new role": (
        rf"\byou are (?:now|no longer) (?:an? |the |my |our )?(?:\w+ ){{0,2}}{_ROLE}",
        r"\b(?:act|behave|respond|answer) as (?:if you|though you|an? (?:admin|root|developer|"
        r"unrestricted|unfiltered|system|evil|superuser))",
        r"\bpretend (?:to be|that you|you are (?:an? )?(?:admin|root|the )|you have)",
        r"\brole ?play as",
        rf"\b(?:du bist (?:jetzt|nun|ab sofort)|tu es (?:maintenant|desormais)|ahora eres|"
        rf"sei (?:ora|adesso)|agora voce e)\b.{{0,30}}(?:{_ADMIN}|{_FREE})",
        rf"\b(?:actua como|agis comme|agisci come|aja como|verhalte dich wie)\b.{{0,20}}{_ADMIN}",
    ),
    "jailbreak": (
        r"\bjail ?break",
        r"\bdo anything now\b",
        r"\b(?:enter|enable|activate|switch to|go into|start|answers? in|you are in)\b.{0,12}"
        r"\b(?:dan|developer|god|debug|sudo|admin) mode\b",
        r"\b(?:answer|respond|reply|speak|act|behave|operate|talk)\b.{0,30}"
        r"\bwithout (?:any )?(?:restriction|filter|limitation|censorship)",
        r"\byou (?:have|know) no (?:filter|restriction|limit|rule|guideline)",
        r"\bunfiltered (?:ai|mode)",
        r"\b(?:if|suppose|imagine|assume)\b.{0,30}\bno (?:redaction|mask|filter|guard|restriction)",
    ),
    "prompt": (
        rf"\b(?:reveal|show|print|repeat|output|tell|give|leak|display)\b.{{0,20}}\b{_OURS}"
        r"(?:system|hidden|initial|secret|original) (?:prompt|instruction)",
        r"\b(?:reveal|show|print|repeat|output|tell|give|leak|display)\b.{0,20}\byour "
        r"(?:system |hidden |initial |secret |original )?(?:prompt|instruction|message|rule)",
        r"\bwhat (?:is|are|was|were) your (?:system |hidden |initial )?(?:prompt|instruction)",
        r"\b(?:repeat|print|output|copy|translate|recite)\b.{0,12}\b(?:text|words?|message|"
        r"everything|all|lines?)\b.{0,12}\babove\b",
        r"\bsystem ?prompt\b.{0,30}\b(?:aus|vollstandig|wortlich|an)\b",
        r"\bprompt (?:du |del |do |di )?(?:systeme|sistema)\b",
    ),
    "forged turn": (
        r"<\s*/?\s*(?:system|assistant|instructions?|important|admin|data)\b[^<>]{0,40}>",
        r"<\|[a-z_]{2,20}\|>",
        r"\[/?(?:inst|system|assistant)\]",
        r"(?:^|\n)\s*(?:###\s*)?(?:system|assistant|instruction)s?\s*(?:message|prompt|note)?\s*:",
        r"\bbegin (?:system|admin) ",
    ),
    "to the agent": (
        r"\b(?:important|urgent|note|message|instruction)s?\b.{0,20}\b(?:for|to) "
        rf"(?:the |any |all |you,? the )?{_AI}\b",
        rf"\b(?:dear|hey|attention,?) {_AI}\b",
        rf"\bif you are an? {_AI}\b",
        rf"\b{_AI} (?:reading|processing|handling) this\b",
        r"\b(?:hinweis|nachricht|anweisung|message|note|nota|mensaje|messaggio|mensagem|bericht)\b"
        r".{0,20}\b(?:ki|ia|ai|llm)\b|\b(?:hinweis|nachricht|note|nota|message|mensaje|messaggio|"
        r"mensagem|bericht|an|a)\b.{0,15}\b(?:assistente?|asistente|assistant)[- ](?:ki|ia|ai)\b",
    ),
    "tool": (
        r"\b(?:call|invoke|use|run|execute|trigger) (?:the |your )?(?:tool|function|"
        r"propose_change|run_query|describe_table|list_tables)\b",
        r"\b(?:auto-?)?approve (?:this|the|my|all|every|it|its own) ?(?:change|request|proposal|"
        r"pending)?\b.{0,30}(?:change|request|proposal|now|immediately)",
    ),
    "statement": (
        r"\b(?:run|execute|send|perform|apply|issue)\b.{0,40}\b(?:delete\s+from|drop\s+(?:table|"
        r"database|schema)|truncate|insert\s+into|update\s+\w+\s+set|grant\s+\w+|alter\s+table)\b",
    ),
    "carry out": (
        r"!\[[^\]]{0,80}\]\(\s*https?:",
        r"\b(?:send|post|e-?mail|upload|forward|exfiltrate|leak|transmit)\b.{0,60}\bto\b.{0,30}"
        r"(?:https?://|www\.|[\w.]{1,40}@[\w.]{1,40})",
    ),
    "disarm": (
        r"\b(?:bypass|disable|deactivate|turn off|switch off|circumvent|evade|get around)\b.{0,20}"
        r"\b(?:guard|filter|policy|policies|security|safety|mask|redaction|approval|audit|"
        r"restriction|limit)",
        r"\b(?:decode|base64)\b.{0,30}\b(?:and|then) (?:follow|run|execute|obey|do)\b",
    ),
}
