"""Rules in the Common Expression Language, as Kubernetes uses it.

celpy parses and evaluates. What Kubernetes adds is here: types known before anything runs, so that
a rule with a mistake is refused when it is written; its own functions; its sentences.

celpy is not light: nobody should import this package before there is a rule.
"""
