"""Which programs a shell script starts, read from its text: the grammar that the project's scripts use."""

import re

# After these words comes a command again.
RUN_ANOTHER = {"env", "timeout", "nice", "nohup", "setsid"}
LEADS = {"if", "then", "else", "elif", "while", "until", "do", "!", "{", "time", "exec", "command", *RUN_ANOTHER}
WORDS = """
    [ ]] { } : . alias bg break builtin cd compgen continue declare do done echo esac eval exit export false fg fi
    for getopts hash kill local mapfile printf pwd read readonly return select set shift shopt source test trap true
    type ulimit umask unset wait
"""
ASSIGNMENT = re.compile(r"\w+(\[[^]]*\])?\+?=")
HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
REDIRECTION = re.compile(r"(<<<|>>|<>|>&|<&|>\||<|>)")
PROGRAM = re.compile(r"[A-Za-z][\w.+-]*")


def programs(script: str) -> set[str]:
    """The programs that `script` starts; its own functions, shell words and what a variable names are left out."""
    reader = _Reader(script)
    reader.commands("")
    names = {name.rpartition("/")[2] for name in reader.found}
    return {name for name in names if PROGRAM.fullmatch(name)} - reader.functions - set(WORDS.split())


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: set[str] = set()
        self.functions: set[str] = set()
        self.heredocs: list[str] = []

    def commands(self, end: str) -> None:
        """Read up to `end`; `starts` says that the next word is a command's name."""
        starts, target = True, False
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == end:
                self.at += 1
                return
            if char in " \t" or self.text.startswith("\\\n", self.at):
                self.at += 1 if char != "\\" else 2
            elif char == "#":
                self._skip_to("\n", keep=True)
            elif self.text.startswith("((", self.at):
                self._skip_to("))")
            elif char in "\n;&|()":
                starts = self._separator()
            elif char in "<>":
                target = self._redirection()
            else:
                starts, target = self._word(starts and not target, starts), False

    def _separator(self) -> bool:
        char = self.text[self.at]
        self.at += 1
        if char == "\n":
            for delimiter in self.heredocs:
                ending = re.compile(rf"^\s*{delimiter}$", re.MULTILINE).search(self.text, self.at)
                self.at = ending.end() if ending else len(self.text)
            self.heredocs.clear()
        if self.text.startswith(";", self.at) and char == ";":
            self.at += 1
            self._case_pattern()
        return True

    def _redirection(self) -> bool:
        if self.text[self.at + 1 : self.at + 2] == "(":
            self.at += 2
            self.commands(")")
            return False
        if heredoc := HEREDOC.match(self.text, self.at):
            self.heredocs.append(heredoc[2])
            self.at = heredoc.end()
            return False
        operator = REDIRECTION.match(self.text, self.at)
        assert operator
        self.at = operator.end()
        return True

    def _word(self, is_name: bool, starts: bool) -> bool:
        """Read one word; returns whether a command's name is still to come."""
        word = self._read_word()
        if not is_name:
            return starts
        if self.text.startswith("()", self.at):
            self.at += 2
            self.functions.add(word)
            return True
        if ASSIGNMENT.match(word):
            if word.endswith("=") and self.text.startswith("(", self.at):
                self._array()
            return True
        return self._name(word)

    def _name(self, word: str) -> bool:
        if word == "case":
            self._words_to("in")
            self._case_pattern()
            return True
        if word == "[[":
            self._words_to("]]")
        elif word in LEADS:
            self.found |= RUN_ANOTHER & {word}
            return True
        elif word.startswith("-") or word.isdigit():
            return True  # an option or the seconds of a leading `timeout 10`
        else:
            self.found.add(word)
        return False

    def _read_word(self) -> str:
        out = []
        while self.at < len(self.text) and (char := self.text[self.at]) not in " \t\n;&|()<>":
            self.at += 1
            if char == "\\":
                self.at += 1
            elif char == "'":
                end = self.text.index("'", self.at)
                out.append(self.text[self.at : end])
                self.at = end + 1
            elif char == '"':
                out.append(self._double_quoted())
            elif char == "$":
                self._expansion()
                out.append("$")
            else:
                out.append(char)
        return "".join(out)

    def _double_quoted(self) -> str:
        out = []
        while (char := self.text[self.at]) != '"':
            self.at += 2 if char == "\\" else 1
            if char == "$":
                self._expansion()
            out.append(char)
        self.at += 1
        return "".join(out)

    def _expansion(self) -> None:
        """What follows a dollar: $((1 + 1)), $(command), ${name}, or a name that is read as part of the word."""
        if self.text.startswith("((", self.at):
            self._skip_to("))")
        elif self.text.startswith("(", self.at):
            self.at += 1
            self.commands(")")
        elif self.text.startswith("{", self.at):
            depth = 1
            while depth:
                self.at += 1
                depth += {"{": 1, "}": -1}.get(self.text[self.at], 0)
            self.at += 1

    def _array(self) -> None:
        self.at += 1
        while not self.text.startswith(")", self.at):
            if self.text[self.at] in " \t\n":
                self.at += 1
            else:
                self._read_word()
        self.at += 1

    def _words_to(self, last: str) -> None:
        word = ""
        while word != last and self.at < len(self.text):
            word = self._read_word()
            self.at += not word  # an operator or white space

    def _case_pattern(self) -> None:
        if re.compile(r"\s*esac\b").match(self.text, self.at):
            return
        self._skip_to(")")

    def _skip_to(self, mark: str, *, keep: bool = False) -> None:
        end = self.text.find(mark, self.at)
        self.at = len(self.text) if end < 0 else end + (0 if keep else len(mark))
