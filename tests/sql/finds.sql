# What the generated searches found, as small as it got: each once raised something else than a refusal, or was answered
# otherwise than it should be. Whatever becomes of them now, nothing is uncaught (tests/dialect/test_fuzz.py).

# title: a placeholder of the smallest kind
SELECT ? FROM events;
