// counted.h - how many are inside: `const Counted waiting{readers_};` counts one for as long as it lives.
#pragma once

namespace capos::runtime {

template <typename Number>
class Counted {
public:
    explicit Counted(Number& count) : count_{count} { ++count_; }
    ~Counted() { --count_; }
    Counted(const Counted&) = delete;

private:
    Number& count_;
};

}  // namespace capos::runtime
