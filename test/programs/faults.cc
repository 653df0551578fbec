// The fault matrix (R10): whatever a process does to its processor ends that process alone, leaves a crash record, and gives
// back all that it held. Each case is a child process that runs one piece of fault_code.cc with known values in its registers.

#include "fault_code.h"
#include "support/child.h"

namespace capos::test {

namespace {

using abi::CrashCause;

constexpr u64 kAny = ~u64{0};
constexpr u64 kAnywhere = kAny - 1;  // of rip: not inside the code of the case

struct Case {
    std::string_view name;
    void (*code)();
    CrashCause cause;
    u64 address{kAny};
    u64 rip{kAny};
    // What else may happen: the emulator has not every exception of the processor.
    CrashCause or_cause{static_cast<CrashCause>(~0u)};
    bool may_survive{};
};

// Outcomes that are no fault: the odd state is nothing to the kernel, and the process goes on.
struct Survivor {
    std::string_view name;
    void (*code)();
};

using enum CrashCause;
constexpr Case kCases[] = {
    {"divide by zero", code_divide_by_zero, divide_error},
    {"quotient overflow", code_divide_overflow, divide_error},
    {"single step", code_single_step, debug},
    {"icebp", code_icebp, debug, kAny, kAny, invalid_opcode},
    {"int3", code_int3, breakpoint},
    {"int 3", code_int_3, breakpoint},
    {"int 4", code_int_4, overflow},
    {"mov ss before int3", code_mov_ss_int3, breakpoint, kAny, kAny, debug},
    {"ud2", code_ud2, invalid_opcode},
    {"lock nop", code_lock_nop, invalid_opcode},
    // QEMU's TCG reports #GP for a stack access that is not canonical.
    {"stack access not canonical", code_stack_non_canonical, stack_fault, kAny, kAny, general_protection},
    {"push not canonical", code_push_non_canonical, stack_fault, kAny, kAny, general_protection},
    {"read not canonical", code_read_non_canonical, general_protection},
    {"hlt", code_hlt, general_protection},
    {"cli", code_cli, general_protection},
    {"in", code_in, general_protection},
    {"out", code_out, general_protection},
    {"read cr0", code_mov_cr0, general_protection},
    {"write cr3", code_mov_cr3, general_protection},
    {"write dr7", code_mov_dr7, general_protection},
    {"rdmsr", code_rdmsr, general_protection},
    {"wrmsr", code_wrmsr, general_protection},
    {"lgdt", code_lgdt, general_protection},
    {"sgdt", code_sgdt, general_protection},
    {"invlpg", code_invlpg, general_protection},
    {"swapgs", code_swapgs, general_protection},
    {"sysret", code_sysret, general_protection},
    {"xsetbv", code_xsetbv, general_protection},
    {"int 0x80", code_int_0x80, general_protection},
    {"int of a device", code_int_timer, general_protection},
    {"int of the double fault", code_int_double_fault, general_protection},
    {"kernel data segment", code_load_ds, general_protection},
    {"far return to the kernel", code_far_jump, general_protection, kAny, kAny, page_fault},
    {"iret to the kernel", code_iret_to_kernel, general_protection, kAny, kAny, page_fault},
    {"iret of a nested task", code_iret_nested_task, general_protection},
    {"cli after IOPL 3", code_iopl_cli, general_protection},
    {"read null", code_read_null, page_fault, 0},
    {"read unmapped", code_read_unmapped, page_fault, kUnmapped},
    {"read the kernel", code_read_kernel, page_fault, kKernelAddress},
    {"write the kernel", code_write_kernel, page_fault, kKernelAddress},
    {"jump to the kernel", code_jump_kernel, page_fault, kKernelAddress, kKernelAddress},
    {"jump to null", code_jump_null, page_fault, 0, 0},
    {"jump not canonical", code_jump_non_canonical, general_protection, kAny, kAnywhere},
    {"return not canonical", code_return_non_canonical, general_protection, kAny, kAnywhere},
    {"execute the stack", code_jump_stack, page_fault, kAny, kAnywhere},
    {"write code", code_write_code, page_fault},
    {"read above the user half", code_read_user_top, page_fault, kUserTop},
    {"stack overflow", code_overflow_stack, page_fault, kChildStackTop - kChildStackBytes - 8},
    {"ud2 without a stack", code_ud2_without_stack, invalid_opcode},
    {"x87 error", code_x87_error, x87_error},
    {"SIMD error", code_simd_error, simd_error, kAny, kAny, simd_error, true},
    {"alignment check", code_misaligned, alignment_check, kAny, kAny, alignment_check, true},
    {"system call 2", code_system_call_2, bad_system_call},
    {"system call ~0", code_system_call_max, bad_system_call},
    {"enter with more than the queue has", code_enter_too_many, bad_enter},
    {"enter waiting for more than the queue has", code_enter_wait_too_many, bad_enter},
    {"enter with a huge number", code_enter_huge, bad_enter},
    {"single step into a system call", code_system_call_single_step, debug},
    {"mov ss before a system call", code_mov_ss_system_call, debug},
};

constexpr Survivor kSurvivors[] = {
    {"system call with NT", code_system_call_nested_task},
    {"system call with DF", code_system_call_backwards},
    {"system call with AC", code_system_call_alignment_flag},
    {"system call with a GS base of the kernel", code_system_call_gs_base},
    {"system call without a stack", code_system_call_without_stack},
    {"interrupt without a stack", code_interrupt_without_stack},
};

u64 run_case(Environment& environment) { plant_and_jump(kCases[number_of(environment)].code); }
u64 run_survivor(Environment& environment) { plant_and_jump(kSurvivors[number_of(environment)].code); }

// A submission index that is further from the head than the queue is long.
u64 write_impossible_tail(Environment& environment) {
    abi::RingHeader& header = environment.ring.header();
    header.sq_tail = header.sq_tail + header.sq_entries + 1;
    (void)runtime::enter(1, 0, runtime::kNoDeadline);
    return kSurvived;
}

// A completion index ahead of what was posted.
u64 write_impossible_head(Environment& environment) {
    ++environment.ring.header().cq_head;
    (void)runtime::enter(0, 1, runtime::kNoDeadline);
    return kSurvived;
}

// Each time it runs it uses all of the frame that it takes.
[[gnu::noinline]] u64 recurse(u64 depth) {
    volatile u64 frame[64];
    frame[depth % 64] = depth;
    return depth == kAny ? 0 : recurse(depth + 1) + frame[depth % 64];
}
u64 recurse_for_ever(Environment&) { return recurse(1); }

class Matrix {
public:
    Matrix(World& world, const Image& image) : world_{world}, image_{image}, cpu_{world.cpus() - 1} {}

    void run() {
        for (usize i = 0; i < std::size(kCases); ++i) one(kCases[i], i);
        for (usize i = 0; i < std::size(kSurvivors); ++i) survivor(kSurvivors[i], i);
        one({"submission index out of range", nullptr, bad_ring}, 0, write_impossible_tail);
        one({"completion index out of range", nullptr, bad_ring}, 0, write_impossible_head);
        one({"endless recursion", nullptr, page_fault}, 0, recurse_for_ever);
    }

private:
    // On the last CPU, which is another one than ours when there are two.
    void one(const Case& test, usize number, ChildFunction function = run_case) {
        const u64 frames = world_.free_frames();
        auto child = Child::create(world_, image_, "faulty", function, {}, {.cpu = cpu_, .number = number});
        const runtime::TextBuffer<96> name{test.name, " [R10]"};
        if (!child) return world_.check(name.view(), false, "no child: ", child.error());
        if (!child->wait_for_end(world_)) {
            world_.check(name.view(), false, "it lives on");
        } else {
            judge(name.view(), test, *child);
        }
        child->release(world_);
        frames_came_back(test.name, frames);
    }

    void judge(std::string_view name, const Case& test, Child& child) {
        const auto state = child.state(world_);
        if (test.may_survive && !state.crashed)
            return world_.check(name, state.exit_code == kSurvived, "exit code ", state.exit_code);
        const abi::CrashRecord record = child.crash(world_);
        const u64 code = reinterpret_cast<u64>(test.code);
        constexpr u64 kCodeBytes = 96;  // more than any case has
        const bool inside = record.rip >= code && record.rip < code + kCodeBytes;
        if (!state.crashed) {
            world_.check(name, false, "no crash, exit code ", Hex{state.exit_code});
        } else if (record.cause != static_cast<u32>(test.cause) && record.cause != static_cast<u32>(test.or_cause)) {
            world_.check(name, false, "cause ", record.cause, " at ", Hex{record.rip}, ", address ", Hex{record.address});
        } else if (test.address != kAny && record.address != test.address) {
            world_.check(name, false, "address ", Hex{record.address}, " instead of ", Hex{test.address});
        } else if (code != 0 && (test.rip == kAny ? !inside : test.rip != kAnywhere && test.rip != record.rip)) {
            world_.check(name, false, "rip ", Hex{record.rip}, ", code at ", Hex{code});
        } else if (code != 0 && (record.rbx != kPlantedRbx || record.r12 != kPlantedR12 || record.r13 != kPlantedR13 ||
                                 record.r14 != kPlantedR14 || record.r15 != kPlantedR15)) {
            world_.check(name, false, "registers rbx ", Hex{record.rbx}, " r12 ", Hex{record.r12}, " r15 ", Hex{record.r15});
        } else {
            world_.check(name, true);
        }
    }

    void survivor(const Survivor& test, usize number) {
        const u64 frames = world_.free_frames();
        auto child = Child::create(world_, image_, "odd", run_survivor, {}, {.cpu = cpu_, .number = number});
        const runtime::TextBuffer<96> name{test.name, " [R10]"};
        if (!child) return world_.check(name.view(), false, "no child: ", child.error());
        const bool ended = child->wait_for_end(world_);
        const auto state = child->state(world_);
        world_.check(name.view(), ended && !state.crashed && state.exit_code == kSurvived, ended ? "crashed by " : "lives on ",
                     child->crash(world_).cause, ", exit code ", state.exit_code);
        child->release(world_);
        frames_came_back(test.name, frames);
    }

    // Only said when it is not so: it belongs to the case before.
    void frames_came_back(std::string_view name, u64 frames) {
        if (world_.frames_return_to(frames)) return;
        const runtime::TextBuffer<96> line{"frames after ", name, " [R10]"};
        world_.check(line.view(), false, world_.free_frames(), " free of ", frames);
    }

    World& world_;
    const Image& image_;
    u32 cpu_;
};

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    if (!image) return world.check("image", false, image.error());
    const auto before = usage(world.caller, world.account);
    const u64 frames = world.free_frames();
    Matrix{world, *image}.run();
    const auto after = usage(world.caller, world.account);
    world.check("all that the cases were charged is given back [R10]",
                before && after && before->frames == after->frames && before->objects == after->objects &&
                    before->nodes == after->nodes,
                after ? after->frames : 0, " frames, ", after ? after->objects : 0, " objects, ", after ? after->nodes : 0,
                " nodes");
    world.check("all frames are free again [R10]", world.frames_return_to(frames), world.free_frames(), " of ", frames);
}

}  // namespace capos::test
