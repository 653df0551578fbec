// The shell's line editor on a terminal that understands what the editor sends, and on one that understands nothing.
#include <new>

#include <catch2/catch.hpp>

#include "servers/shell/editor.h"
#include "sim/random.h"

using namespace capos;
using namespace capos::shell;

namespace {

// A row of a terminal: as much of xterm as the editor uses. Anything else fails the test.
class Terminal {
public:
    explicit Terminal(usize width) : width_{width} {}

    // Returns what the terminal answers.
    std::string show(std::string_view bytes) {
        std::string answer;
        while (!bytes.empty()) {
            const usize taken = bytes.front() == '\x1b' ? control(bytes, answer) : character(bytes);
            bytes.remove_prefix(taken);
        }
        return answer;
    }

    // The row with the cursor, without blanks at its end.
    std::string row() const {
        std::string text;
        for (const std::string& cell : cells_) text += cell.empty() ? " " : cell == "\xff" ? "" : cell;
        text.erase(text.find_last_not_of(' ') + 1);
        return text;
    }
    usize column() const { return column_; }
    const std::vector<std::string>& rows_above() const { return above_; }
    bool pastes_bracketed{};

private:
    usize character(std::string_view bytes) {
        const usize length = dynamic_length(bytes);
        const std::string_view one = bytes.substr(0, length);
        if (one == "\r") {
            column_ = 0;
        } else if (one == "\n") {
            above_.push_back(row());
            cells_.clear();
        } else if (one == "\b") {
            REQUIRE(column_ > 0);
            --column_;
        } else {
            const usize columns = columns_of(one);
            REQUIRE(column_ + columns <= width_);  // the editor never wraps
            if (cells_.size() < column_ + columns) cells_.resize(column_ + columns, " ");
            if (columns == 0) {
                cells_[column_ - 1] += one;
            } else {
                cells_[column_] = one;
                if (columns == 2) cells_[column_ + 1] = "\xff";
            }
            column_ += columns;
        }
        return length;
    }

    static usize dynamic_length(std::string_view bytes) {
        const auto first = static_cast<unsigned char>(bytes.front());
        return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    }

    usize control(std::string_view bytes, std::string& answer) {
        const usize end = bytes.find_first_of("ABCDHJKRhln", 2);
        REQUIRE(end != std::string_view::npos);
        const std::string_view all = bytes.substr(2, end - 2);
        const char final = bytes[end];
        if (final == 'C') {
            column_ = std::min(column_ + std::stoul(std::string{all}), width_ - 1);
        } else if (final == 'K') {
            cells_.resize(std::min(cells_.size(), column_));
        } else if (final == 'n') {
            REQUIRE(all == "6");
            answer += "\x1b[1;" + std::to_string(column_ + 1) + "R";
        } else if (final == 'H') {
            column_ = 0;
        } else if (final == 'J') {
            cells_.clear();
            above_.clear();
        } else {
            REQUIRE((all == "?2004" && (final == 'h' || final == 'l')));
            pastes_bracketed = final == 'h';
        }
        return end + 1;
    }

    usize width_;
    usize column_{};
    std::vector<std::string> cells_;
    std::vector<std::string> above_;
};

class Words final : public Completer {
public:
    Completion complete(std::string_view before) const override {
        const usize blank = before.find_last_of(' ');
        Completion completion{.start = blank == std::string_view::npos ? 0 : blank + 1};
        for (const char* word : {"reboot", "restart", "run", "äpfel"}) {
            if (std::string_view{word}.starts_with(before.substr(completion.start))) completion.candidates.emplace_back(word);
        }
        return completion;
    }
};

struct Session {
    explicit Session(usize width) : terminal{width} {
        editor.set_prompt("> ");
        begin();
    }
    void begin() {
        std::string out;
        editor.begin(out);
        show(out);
    }
    Edit type(std::string_view bytes) {
        Edit edit = Edit::going_on;
        for (const char byte : bytes) {
            REQUIRE(edit == Edit::going_on);
            std::string out;
            edit = editor.push(byte, out);
            show(out);
        }
        return edit;
    }
    std::string enter(std::string_view bytes) {
        CHECK(type(std::string{bytes} + "\r") == Edit::line);
        const std::string line{editor.line()};
        begin();
        return line;
    }
    void show(std::string_view out) {
        const std::string answer = terminal.show(out);
        if (!answer.empty()) CHECK(type(answer) == Edit::going_on);
    }

    Words words;
    Editor editor{words};
    Terminal terminal;
};

}  // namespace

TEST_CASE("typed characters stand behind the prompt, and Enter ends the line") {
    Session session{80};
    session.type("help ä€😀");
    CHECK(session.terminal.row() == "> help ä€😀");
    CHECK(session.terminal.pastes_bracketed);
    CHECK(session.type("\r") == Edit::line);
    CHECK(session.editor.line() == "help ä€😀");
    CHECK_FALSE(session.terminal.pastes_bracketed);
    CHECK(session.terminal.rows_above().back() == "> help ä€😀");
    CHECK(session.terminal.column() == 0);
}

TEST_CASE("a line feed behind a carriage return is no second Enter") {
    Session session{80};
    CHECK(session.enter("one") == "one");
    CHECK(session.type("\n") == Edit::going_on);
    CHECK(session.enter("two") == "two");
    CHECK(session.type("\n") == Edit::going_on);
    CHECK(session.type("\n") == Edit::line);
}

TEST_CASE("the cursor moves by characters and words, and text is edited where it stands") {
    Session session{80};
    session.type("one zwölf three\x1b[D\x1b[D");
    CHECK(session.terminal.column() == 2 + 13);
    session.type("X");
    CHECK(session.terminal.row() == "> one zwölf thrXee");
    session.type("\x1b" "b\x1b[1;5D");  // back two words
    CHECK(session.terminal.column() == 2 + 4);
    session.type("\x1b[3~");
    CHECK(session.terminal.row() == "> one wölf thrXee");
    session.type("\x1b[C\x7f");
    CHECK(session.terminal.row() == "> one ölf thrXee");
    session.type("\x01" "a\x05" "z");
    CHECK(session.terminal.row() == "> aone ölf thrXeez");
    session.type("\x1b[H\x1b[1;5C\x0b");
    CHECK(session.enter("") == "aone");
    session.type("some more words\x17");
    CHECK(session.terminal.row() == "> some more");
    session.type("\x15");
    CHECK(session.terminal.row() == ">");
}

TEST_CASE("a line longer than the terminal scrolls inside its row") {
    Session session{20};
    session.type("0123456789abcdefghijklmnop");
    CHECK(session.terminal.row() == "> 9abcdefghijklmnop");
    CHECK(session.terminal.column() == 19);
    session.type("\x01");
    CHECK(session.terminal.row() == "> 0123456789abcdefg");
    CHECK(session.terminal.column() == 2);
    CHECK(session.enter("X") == "X0123456789abcdefghijklmnop");
}

TEST_CASE("whatever is typed, the terminal shows the line and the cursor where they are") {
    constexpr std::string_view kKeys[] = {"a", "ä", "世", "😀", " ", "word", "\x1b[D", "\x1b[C", "\x01", "\x05", "\x7f",
                                          "\x1b[3~", "\x17", "\x0b", "\x15", "\x1b" "b", "\x1b" "f", "\x1b[A", "\x1b[B",
                                          "\x0c", "\x1b[99x"};
    for (u64 seed = 0; seed < 200; ++seed) {
        sim::Random random{seed};
        Session session{20 + random.below(60)};
        for (u32 i = 0; i < 60; ++i) {
            session.type(kKeys[random.below(std::size(kKeys))]);
            if (random.one_in(20)) session.enter("");
            const std::string row = session.terminal.row();
            INFO("seed " << seed << " row " << row << " line " << session.editor.line());
            REQUIRE(row.starts_with(">"));
            const std::string shown = row.size() > 2 ? row.substr(2) : "";
            REQUIRE(session.editor.line().find(shown) != std::string_view::npos);
            REQUIRE(session.terminal.column() < 80);
            if (columns_of(session.editor.line()) < session.editor.width() - 3) {
                std::string trimmed{session.editor.line()};
                trimmed.erase(trimmed.find_last_not_of(' ') + 1);
                REQUIRE(shown == trimmed);
            }
        }
    }
}

TEST_CASE("earlier lines come back with the arrow keys, the one being typed last") {
    Session session{80};
    session.enter("first");
    session.enter("second");
    session.enter("second");
    session.enter("  hidden");
    session.type("third\x1b[A");
    CHECK(session.terminal.row() == "> second");
    session.type("\x1b[A\x1b[A\x1b[A");
    CHECK(session.terminal.row() == "> first");
    session.type("\x1b[B\x1b[B");
    CHECK(session.terminal.row() == "> third");
    session.type("\x1b[B");
    CHECK(session.enter("\x10") == "second");
}

TEST_CASE("Ctrl-R finds earlier lines by any part of them") {
    Session session{80};
    for (const char* line : {"log -f uart", "call clock.now", "log init"}) session.enter(line);
    session.type("\x12" "lo");
    CHECK(session.terminal.row() == "search `lo`: log init");
    session.type("\x12");
    CHECK(session.terminal.row() == "search `lo`: call clock.now");
    session.type("\x12");
    CHECK(session.terminal.row() == "search `lo`: log -f uart");
    session.type("\x7f\x7f" "now");
    CHECK(session.terminal.row() == "search `now`: call clock.now");
    session.type("\x1b[D!");
    CHECK(session.terminal.row() == "> call clock.no!w");
    session.type("\x15\x0b" "typed\x12" "uart\x07");
    CHECK(session.terminal.row() == "> typed");
    session.type("\x12uart");
    CHECK(session.type("\r") == Edit::line);
    CHECK(session.editor.line() == "log -f uart");
    CHECK(session.terminal.rows_above().back() == "> log -f uart");
}

TEST_CASE("Tab completes what is certain, and the second Tab lists what is possible") {
    Session session{80};
    session.type("ru\t");
    CHECK(session.terminal.row() == "> run");
    CHECK(session.terminal.column() == 6);
    session.type("re\t");
    CHECK(session.terminal.row() == "> run re");
    session.type("\t\t");
    CHECK(session.terminal.rows_above().back() == "reboot   restart");
    CHECK(session.terminal.row() == "> run re");
    session.type("s\t");
    CHECK(session.terminal.row() == "> run restart");
    session.type("\x15" "nothing\t");
    CHECK(session.terminal.row() == "> nothing");
    session.type("\x15ä\t");
    CHECK(session.enter("") == "äpfel ");
}

TEST_CASE("Ctrl-C drops the line, Ctrl-D on an empty one ends the session") {
    Session session{80};
    CHECK(session.type("some\x03") == Edit::interrupted);
    CHECK(session.terminal.rows_above().back() == "> some^C");
    session.begin();
    session.type("ab\x01\x04");
    CHECK(session.terminal.row() == "> b");
    session.type("\x04");
    CHECK(session.type("\x04") == Edit::ended);
}

TEST_CASE("what is pasted is not run by itself") {
    Session session{80};
    CHECK(session.type("\x1b[200~poweroff\rmore\x1b[201~") == Edit::going_on);
    CHECK(session.enter("") == "poweroff more");
}

TEST_CASE("unknown sequences and bytes that are no text leave no trace") {
    Session session{80};
    session.type("a\x1b[12;34;56z\x1bOP\x1b[15~\x80\xff\xc3(\xe2\x80\xae\x1b]b\x02");
    CHECK(session.enter("") == "a(b");
    std::string endless = "\x1b[" + std::string(1000, '1') + "~x";
    session.type(endless);
    CHECK(session.enter("") == "x");
    CHECK(session.type("\x1b[\x03") == Edit::interrupted);  // an interrupted sequence does not swallow Ctrl-C
}

TEST_CASE("a line takes 4096 bytes and no more") {
    Session session{80};
    for (u32 i = 0; i < 5000; ++i) session.type("x");
    CHECK(session.enter("").size() == 4096);
}

TEST_CASE("a terminal that tells no width gets echo, backspaces and nothing else", "[R30]") {
    Words words;
    Editor editor{words};
    editor.set_prompt("> ");
    std::string out;
    editor.begin(out);
    CHECK(out == "\x1b[999C\x1b[6n\r> ");
    out.clear();
    for (const char byte : std::string_view{"hel\x7flp\x1b[D\x01!"}) CHECK(editor.push(byte, out) == Edit::going_on);
    CHECK(out == "hel\b \blp!");
    out.clear();
    CHECK(editor.push('\r', out) == Edit::line);
    CHECK(out == "\r\n");
    CHECK(editor.line() == "help!");
    out.clear();
    editor.begin(out);
    CHECK(out == "> ");
    out.clear();
    for (const char byte : std::string_view{"\x1b[A"}) CHECK(editor.push(byte, out) == Edit::going_on);
    CHECK(out == "\r\n> help!");
}

TEST_CASE("without echo the editor writes nothing") {
    Words words;
    Editor editor{words};
    editor.set_echo(false);
    std::string out;
    editor.begin(out);
    for (const char byte : std::string_view{"re\t\t\x1b[A\x12x\x1b[5;80Rhelp"}) editor.push(byte, out);
    CHECK(editor.push('\r', out) == Edit::line);
    CHECK(out.empty());
}
