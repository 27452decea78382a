"""English words that hold a sentence together and say little by themselves.

Replacing them breaks grammar or turns a meaning round ("not", "very", "under"), and a language model is surest of them,
so that methods which change words leave them alone. What tokenised corpora leave of contractions ("wo n't") is here,
too.
"""

_WORDS = """
" a about above across after again against ain all almost along already also although always am among an and another
any anybody anyone anything are aren aren't around as at away back be because been before behind being below beneath
beside besides between beyond both but by ca can can't cannot certain could couldn couldn't d dare daren't despite did
didn didn't do does doesn doesn't doing don don't done down dr during each either else enough etc even ever every
everybody everyone everything except few for from get got had hadn hadn't half has hasn hasn't have haven haven't
having he he's hence her here hers herself him himself his how how's however i i'd i'll i'm i've if in inside instead
into is isn isn't it it's its itself just least less lest let let's like ll m many may maybe me might mightn mightn't
mine more most mr mrs ms much must mustn mustn't my myself n n't near need needn needn't neither never no nobody none
nor not nothing now nt o of off often ok okay on once one ones oneself only onto or other ought our ours ourselves out
outside over own past per perhaps please quite rather re really regarding round s same several shall shan shan't she
she's should shouldn shouldn't since so some somebody someone something sometimes st still such t than that that's the
their theirs them themselves then there there's therefore these they they'd they'll they're they've this those though
through throughout thus to too toward towards under underneath unless unlike until up upon us ve versus very via was
wasn wasn't we we'd we'll we're we've were weren weren't what what's whatever when when's where where's whereas
whether which whichever while who who's whoever whom whose why why's will with within without wo won won't would
wouldn wouldn't y yes yet you you'd you'll you're you've your yours yourself yourselves
"""

FUNCTION_WORDS = frozenset(_WORDS.split())
