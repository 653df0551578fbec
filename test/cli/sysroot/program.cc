// What a target program may expect of its C and C++ library, without exceptions. Prints "all good", or the line that is not.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <format>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

int failures = 0;

void check(bool good, int line) {
    if (!good) {
        std::printf("line %d\n", line);
        ++failures;
    }
}

struct Local {
    ~Local() { ++destroyed; }
    int value{7};
    static inline std::atomic<int> destroyed{0};
};

thread_local Local local;
const std::string made_before_main("a text that is long enough to be allocated");

void containers() {
    std::vector<int> numbers;
    for (int i = 0; i < 1000; ++i) numbers.push_back(i * 7 % 1000);
    std::ranges::sort(numbers);
    check(numbers.size() == 1000 && numbers[999] == 999, __LINE__);
    std::unordered_map<std::string, int> names;
    for (int i = 0; i < 1000; ++i) names["name" + std::to_string(i)] = i;
    check(names.find("name77")->second == 77, __LINE__);
    const std::function<int(int)> next = [step = std::make_shared<int>(1)](int x) { return x + *step; };
    check(next(1) == 2, __LINE__);
    check(made_before_main.size() == 42, __LINE__);
}

void text() {
    check(std::format("{:>8}|{:#x}|{:.3f}|{}", 42, 255, 3.14159, "s") == "      42|0xff|3.142|s", __LINE__);
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, 0.1).ptr;
    check(std::string(buffer, end) == "0.1", __LINE__);
    check(std::filesystem::exists("/"), __LINE__);
}

void threads() {
    std::mutex mutex;
    int sum = 0;
    {
        std::vector<std::thread> running;
        for (int i = 0; i < 4; ++i) {
            running.emplace_back([&] {
                const std::lock_guard lock(mutex);
                sum += local.value;
            });
        }
        for (auto& thread : running) thread.join();
    }
    check(sum == 28 && Local::destroyed == 4, __LINE__);
    std::atomic<int> flag{0};
    std::thread waiter([&] { flag.wait(0); });
    flag = 1;
    flag.notify_all();
    waiter.join();
}

}  // namespace

int main() {
    containers();
    text();
    threads();
    std::puts(failures == 0 ? "all good" : "not good");
    return failures;
}
