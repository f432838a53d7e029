"""What the scripted servers are told, how often, and what the exporter then has to say of them."""

UP = {"up"}


class Behaviour:
    """`line` is for scripted_servers; `once` is told first, to the connections that there are. `states`: what the
    exporter may say while it lasts. `weight`: how often it is chosen."""

    def __init__(self, name, weight, line, states, once=None):
        self.name, self.weight, self.line, self.states, self.once = name, weight, line, states, once
        self.healthy = states == UP


BEHAVIOURS = [
    Behaviour("answer", 40, lambda rng: "answer", UP),
    Behaviour("delay", 6, lambda rng: f"delay {rng.randint(1, 300)}", UP),
    Behaviour("split", 6, lambda rng: f"split {rng.randint(1, 60)}", UP),
    Behaviour("drip", 3, lambda rng: "drip 1", UP),
    Behaviour("fin", 4, lambda rng: "fin 9999", UP),
    Behaviour("halfclose", 3, lambda rng: "halfclose", UP),
    Behaviour("drop", 4, lambda rng: "answer", UP, once="drop"),
    Behaviour("reset", 4, lambda rng: "answer", UP, once="reset"),
    Behaviour("lose", 4, lambda rng: "answer", UP, once="lose"),
    Behaviour("twice", 4, lambda rng: f"twice {rng.randint(0, 1500)}", UP),
    Behaviour("unasked", 4, lambda rng: f"unasked {rng.randint(0, 1500)}", UP),
    Behaviour("mute", 3, lambda rng: "mute", {"timeout"}),
    Behaviour("cut", 3, lambda rng: f"cut {rng.randint(1, 90)}", {"timeout"}),
    Behaviour("late", 3, lambda rng: f"delay {rng.randint(4000, 9000)}", {"timeout"}),
    Behaviour("cut off", 3, lambda rng: f"fin {rng.randint(0, 90)}", {"protocol_error"}),
    Behaviour("cut off by a reset", 3, lambda rng: f"rst {rng.randint(0, 90)}", {"protocol_error", "tls_error"}),
    Behaviour("garbage", 3, lambda rng: "garbage", {"protocol_error"}),
    Behaviour("flood", 1, lambda rng: "flood", {"protocol_error", "overloaded", "timeout"}),
    Behaviour("refuse", 4, lambda rng: "refuse", {"refused"}),
    Behaviour("deaf", 3, lambda rng: "deaf", {"timeout"}),
    Behaviour("full", 3, lambda rng: "full", {"timeout", "unreachable"}),
]
