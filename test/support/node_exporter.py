"""A real node_exporter that serves a folder of text files and nothing else."""

from support import http
from support.process import Process, free_port, wait_until


class NodeExporter:
    def __init__(self, folder):
        self.where = ("127.0.0.1", free_port())
        self.process = Process(["prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
                                f"--collector.textfile.directory={folder}", "--web.listen-address=%s:%d" % self.where])
        wait_until(self._ready, "node_exporter to be ready")

    def _ready(self):
        assert self.process.running, self.process.stderr
        try:
            return http.get(self.where, "/").status == 200
        except OSError:
            return False

    def lines(self):
        """Everything that it serves, line by line. It refuses nothing: what it cannot read is missing, and logged."""
        answer = http.get(self.where, "/metrics")
        assert answer.status == 200, answer
        return answer.text.splitlines()

    def complaints(self):
        """What its log says above the level of information."""
        return [line for line in self.process.stderr.splitlines() if "level=info" not in line]

    def stop(self):
        self.process.terminate()
