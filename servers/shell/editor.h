// editor.h - Editor: edits one line at a time on a terminal. Pure: bytes of the terminal in, bytes for the terminal out.
//
//      editor.begin(out);                          // shows the prompt
//      switch (editor.push(byte, out)) ...         // until it is no longer Edit::going_on; the line is then editor.line()
//
// It asks the terminal for its width. One that answers gets the whole editor: the line stays in one row and scrolls sideways.
// One that doesn't (a script, a log file, a very old terminal) is only sent text, line ends and backspaces: characters are
// echoed, what can't be shown that way is shown as the whole line again on a row of its own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "servers/shell/history.h"
#include "servers/shell/keys.h"
#include "servers/shell/line.h"

namespace capos::shell {

// What could stand in place of [start, cursor).
struct Completion {
    usize start{};
    std::vector<std::string> candidates{};  // sorted
    std::string suffix{" "};                // goes behind the only candidate
};

class Completer {
public:
    virtual Completion complete(std::string_view before_cursor) const = 0;

protected:
    ~Completer() = default;
};

enum class Edit : u8 { going_on, line, interrupted, ended };

class Editor {
public:
    explicit Editor(const Completer& completer) : completer_{completer} {}

    void set_prompt(std::string_view prompt) { prompt_ = prompt; }
    // Without echo nothing is ever written, not even the prompt: for machines at the other end.
    void set_echo(bool echo) { echo_ = echo; }
    bool echo() const { return echo_; }

    void begin(std::string& out);
    Edit push(char byte, std::string& out);
    // Takes the row off the screen for a moment, so that something else can be written, and puts it back.
    void hide(std::string& out) const;
    void show(std::string& out) const;
    // The line that was entered, or what had been typed when it was interrupted.
    std::string_view line() const { return line_.text(); }

    const History& history() const { return history_; }
    // Columns of the terminal; 0 when it has not told.
    usize width() const { return width_; }

private:
    Edit apply(const Key& key, std::string& out);
    Edit finish(Edit how, std::string_view mark, std::string& out);
    void edit(const Key& key, std::string& out);
    void insert(std::string_view text, std::string& out);
    void erase_left(std::string& out);
    void go_in_history(bool older, std::string& out);
    void complete(std::string& out);
    void list(const std::vector<std::string>& candidates, std::string& out) const;

    void begin_search(std::string& out);
    bool search(const Key& key, std::string& out);
    void find_again(usize before, std::string& out);

    bool is_capable() const { return width_ != 0; }
    void take_width(const Key& report, std::string& out);
    void ask_width(std::string& out);
    std::string prompt() const;
    // The whole row, cursor included.
    void draw(std::string& out) const;

    const Completer& completer_;
    KeyDecoder keys_;
    Line line_;
    History history_;
    std::string prompt_;
    std::string written_;       // the line that was being typed before the history was looked at
    usize history_at_{};
    std::string search_text_;
    usize search_at_{};
    usize width_{};
    bool echo_{true};
    bool asked_{};
    bool searching_{};
    bool pasting_{};
    bool listed_{};             // the last key was a Tab that had more than one answer
};

}  // namespace capos::shell
