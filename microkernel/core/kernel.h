// kernel.h - the microkernel as a state machine: an event and the time go in, an action comes out.
//
//      machine layer (arch/x86_64, or test/sim)                 core
//      SYSCALL             ---- lock, system_call ---->         changes state,
//      exception of a user ---- lock, fault       ---->         never waits,
//      timer, IPI          ---- lock, interrupt   ---->         reads no clock and no register
//      action done         ---- lock, proceed     ---->
//                          <--- Action, unlock ----
//
// The machine layer calls one of the four with the lock held and interrupts off, releases the lock, and does what the action
// says:
//      run     load the page tables (context->cr3, then tables_loaded), FPU and bases of `context`, and return to it
//      idle    load the kernel's own tables, wait for an interrupt, then call interrupt
//      zero    fill the block with zeros, interrupts on, then call proceed
//      again   let pending interrupts in for a moment, then call proceed: the step is spent, others shall get the lock
//      off, reset   stop or restart the machine
//      failed       restart the machine: the first process has ended
// A step does at most kStepUnits units of work, of about 125 instructions, so that no one waits long for the lock (R17).
// The host and the machine compile these very files.
#pragma once

#include <span>

#include "core/address_space.h"
#include "core/endpoint.h"
#include "core/frame_allocator.h"
#include "core/interrupt.h"
#include "core/invalidation.h"
#include "core/io_ports.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/node_tree.h"
#include "core/process.h"
#include "core/scheduler.h"
#include "idl/kernel_messages.h"

namespace capos::kernel {

inline constexpr u32 kStepUnits = 32;
inline constexpr u32 kCallUnits = 3;         // of a call, besides the one of every entry
inline constexpr u32 kBytesPerUnit = 256;    // copied
inline constexpr u32 kRecordsPerUnit = 32;   // of a ring, looked at
inline constexpr usize kObjectCellBytes = 320;  // one kernel object or mapping

struct Action {
    enum class Kind : u8 { run, idle, zero, again, off, reset, failed };
    Kind kind;
    UserContext* context{};   // run
    PhysicalAddress block{};  // zero
    unsigned order{};         // zero
};

class Kernel {
public:
    struct Configuration {
        std::span<Cpu> cpus;  // id and online set; the machine layer sets online of later ones before they call in
        FrameAllocator& frames;
        PageTable kernel_table;  // upper half: shared by all address spaces
        std::span<std::byte> node_memory;
        std::span<std::byte> object_memory;
        std::string_view command_line;
        u64 kernel_bytes;  // memory that the kernel keeps for itself, for PlatformInfo
        std::span<const PortRange> kept_ports{};  // that nobody may claim
        PortRange console_ports{};                // where the kernel prints until somebody claims one of them
        std::span<const formats::MadtOverride> interrupt_overrides{};
    };
    // Makes the root account, which owns all frames that are free now, all nodes and all objects.
    explicit Kernel(const Configuration& configuration);
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    KernelLock lock;

    // --- events: kernel.cc ---
    Action system_call(Cpu& cpu, Time now) REQUIRES(lock);
    Action fault(Cpu& cpu, const Fault& fault, Time now) REQUIRES(lock);
    Action interrupt(Cpu& cpu, Time now) REQUIRES(lock);
    Action proceed(Cpu& cpu, Time now) REQUIRES(lock);

    // The shortest ways through, which machine layers may try before system_call (fast_path.cc). The first is for an enter that
    // submits nothing: true when it was done, and the thread goes on. The second hands over to a peer that waits: the
    // context to go on with, whose page tables are to be loaded. Otherwise nothing has happened.
    bool enter_at_once(Cpu& cpu) REQUIRES(lock);
    UserContext* hand_over_at_once(Cpu& cpu) REQUIRES(lock);

    // --- making the first process: boot_process.cc. Called once, before the first event. ---
    struct BootProcess {
        Process* process;
        Thread* thread;
    };
    // Errors: quota when memory is short.
    KernelResult<BootProcess> make_boot_process(std::string_view name, const RingGeometry& geometry) REQUIRES(lock);
    // Anonymous memory whose frames exist at once, zeroed.
    KernelResult<Memory*> make_boot_memory(PageCount pages) REQUIRES(lock);
    // Memory over frames that the allocator never had: a boot module. Sealed.
    KernelResult<Memory*> adopt_boot_memory(PhysicalAddress first, PageCount pages) REQUIRES(lock);
    KernelResult<void> map_boot_memory(AddressSpace& space, Memory& memory, VirtualAddress start, Access access) REQUIRES(lock);
    // Puts a capability to `object` into the process's table: the object's root node, or with `readable` a read-only one of
    // memory.
    KernelResult<abi::CapId> grant_boot(Process& process, Object& object, bool readable = false) REQUIRES(lock);
    void start_boot_thread(Thread& thread, VirtualAddress entry, VirtualAddress stack, u32 start_offset, u32 start_length)
        REQUIRES(lock);
    Object& clock() { return clock_; }
    Object& kernel_log() { return kernel_log_; }
    Object& entropy() { return entropy_; }
    Object& power() { return power_; }
    Object& platform_info() { return platform_info_; }
    Object& profile() { return profile_; }
    Object& port_space() { return port_space_; }
    Object& interrupt_space() { return interrupt_space_; }
    Account& root_account() { return root_account_; }

    // --- for tests and the simulator ---
    FrameAllocator& frames() { return frames_; }
    std::span<Cpu> cpus() { return cpus_; }
    // True while something waits to be taken down or delivered; an idle machine gets there by itself.
    bool has_work() const;

private:
    friend class Inspector;  // test/sim: checks invariants after every step

    // What became of an entry of the submission queue.
    enum class Outcome : u8 {
        taken,    // consumed; it has completed, or a Pending record waits
        blocked,  // there is no room for its completion: not consumed
        zero,     // the thread's prepared block has to be zeroed first, then the entry restarts
        again,    // a piece of it is done; the entry restarts in another step
        ended,    // the thread itself has ended
    };
    // How the kernel goes on with a thread.
    enum class Progress : u8 { run, switched, zero, again };

    // Capabilities on their way from one table to another.
    struct Transfer {
        Transfer() {}  // the arrays hold `count` and `moves` elements; the rest is not set
        Node* nodes[abi::kCapabilitiesMax];
        abi::CapId moved[abi::kCapabilitiesMax];
        u64 installed[abi::kCapabilitiesMax];
        u8 count{};
        u8 moves{};
    };

    // How a handler of a kernel object's method leaves.
    enum class Restart : u8 {
        none,      // done; the results are in the call
        zero,      // the caller's prepared block has to be zeroed first, then the entry restarts
        again,     // a piece is done; the entry restarts in another step
        deferred,  // defer() took a record, which completes later
        ended,     // the caller itself has ended
    };
    // A call to a kernel object. A handler decodes `message`, checks everything, and only then changes anything.
    struct ObjectCall {
        Thread& caller;
        const abi::Submission& entry;
        Node& node;                           // what is called
        Pending* record;                      // of a call that was held until its capability arrived, else null
        std::span<const std::byte> message;   // a private copy
        Transfer arguments;                   // its capabilities
        std::span<std::byte> out;             // room for the results, in the caller's arena: write only
        u32 out_bytes{};
        static constexpr u8 kResultsMax = 2;
        Node* results[kResultsMax]{};         // capabilities that are returned, in order
        u8 result_count{};
        u8 reserved{};                        // table slots for them

        u16 method() const { return entry.method; }
        Account& payer() const { return *caller.process().account; }
        // The parameters of `Method`. Errors: bad_message.
        template <typename Method>
        KernelResult<typename Method::Params> decode() const {
            const auto params = Method::Params::decode(message, arguments.count);
            if (!params) return fail(Status::bad_message);
            return *params;
        }
        // The capability that an index of the message names. Errors: bad_message when it is absent.
        KernelResult<Node*> argument(idl::CapabilityIndex index) const {
            if (!index.present()) return fail(Status::bad_message);
            return arguments.nodes[index.value];
        }
        // Sets table slots aside for capabilities that will be returned. Errors: truncated when the caller has not offered
        // that many; quota when its table is full.
        KernelResult<void> reserve(u8 count);
        // Cannot fail after reserve().
        void give(Node& result) { results[result_count++] = &result; }
        template <typename Results>
        Restart reply(const Results& value) {
            out_bytes = static_cast<u32>(value.encode(out));
            return Restart::none;
        }
    };

    // --- kernel.cc ---
    Action resume();
    Progress go_on(Thread& thread);
    void begin(Cpu& cpu, Time now);
    Action run(Thread& thread);
    void leave_current();
    void expire();
    void wake(Thread& thread);
    void settle_next();
    bool take_next();
    bool work_at_hand() const;
    u32 do_work(u32 units);
    void spend(u64 units);

    // --- enter.cc ---
    Progress start_enter(Thread& thread);
    Progress enter_single(Thread& thread);
    Progress continue_enter(Thread& thread);
    Progress finish_enter(Thread& thread, bool may_wait);
    Progress more_to_do(Thread& thread);
    Progress return_from_enter(Thread& thread, Status status);
    Outcome submit(Thread& thread, const abi::Submission& entry);
    Outcome end_entry(Thread& thread, const abi::Submission& entry, Status status);
    Outcome end_silent(Thread& thread, const abi::Submission& entry, Status status);
    Outcome submit_release(Thread& thread, const abi::Submission& entry);
    Outcome submit_cancel(Thread& thread, const abi::Submission& entry);
    void posted(Thread& thread);
    void complete(Pending& pending, Status status, abi::Completion completion = {});
    void exit_thread(Thread& thread, u64 code);

    // --- fast_path.cc ---
    Progress start_register_enter(Thread& thread);
    // What a plain CALL or RETURN says, from registers or from the queue, where each word is read once.
    struct FastEntry {
        u64 subject;  // capability or reply token
        u64 interface_id;
        u64 params;   // offset, length << 32
        u64 reply;    // offset, capacity << 32
        u64 user_data;
        u16 method;
    };
    Thread* fast_call(Cpu& cpu, Thread& caller, Node& facet, const FastEntry& entry);
    Thread* fast_return(Cpu& cpu, Thread& server, const FastEntry& entry);
    void hand_over(Cpu& cpu, Thread& from, Thread& to, const abi::Completion& completion);

    // --- call.cc ---
    Outcome submit_call(Thread& thread, const abi::Submission& entry);
    Pending* take_call(Thread& thread, const abi::Submission& entry, Outcome& outcome);
    Outcome call_endpoint(Thread& thread, const abi::Submission& entry, Node& node);
    void send(Pending& call, Node& facet);
    void call_through(Pending& call, Node& node);
    void enqueue(Pending& call, Node& facet);
    void end_call(Pending& call, Status status);
    void finish_call(Pending& call, Status status, const abi::Completion& completion, std::span<const u64> results);
    void abandon(Received& received);
    void keep_received(const Pending& receive);
    void let_go(Received& received);
    bool deliver(Endpoint& endpoint, Pending& call);
    static Pending* first_receiver(PendingQueue& receivers);
    bool deliver_to(Pending& receive, Pending& call);
    void starve(Pending& receive);
    bool deliver_event(PendingQueue& receivers, abi::CompletionKind kind, u64 token);
    void look_at(Object& source);
    void look_at_endpoint(Endpoint& endpoint);
    void look_at_notification(Notification& notification);
    bool serve_starved(Thread& thread);
    Outcome submit_receive(Thread& thread, const abi::Submission& entry);
    Status set_up_group(Thread& thread, const abi::Submission& entry);
    Status provide(Thread& thread, u64 group_index, u64 buffer);
    static Status reserve_buffer(Thread& thread, u64 group_index, u64 buffer);
    void end_receive(Pending& receive, Status status);
    Outcome submit_return(Thread& thread, const abi::Submission& entry);
    struct AnswerMessage {
        Status status;
        u16 code;  // the server's, of an error
        const std::byte* message;
        u32 length;
    };
    void answer_call(Thread& server, Received& received, const AnswerMessage& answer, Transfer& transfer);
    bool cancel(Pending& pending, Status status);

    // --- transfer.cc ---
    KernelResult<void> resolve(Thread& sender, u32 offset, u8 count, Transfer& transfer);
    u8 install(Transfer& transfer, u8 room, Process& receiver);
    void remove_moved(Thread& sender, const Transfer& transfer);

    // --- pipeline.cc ---
    Outcome call_pipelined(Thread& thread, const abi::Submission& entry);
    Outcome submit_finish(Thread& thread, const abi::Submission& entry);
    void fill_answer(Answer& answer, Status status, std::span<const u64> results);
    void release_held(Pending& call, const Answer& answer);
    Progress carry_out_own(Thread& thread);

    // --- wait.cc ---
    Outcome submit_wait(Thread& thread, const abi::Submission& entry);
    Outcome submit_wake(Thread& thread, const abi::Submission& entry);
    Outcome submit_timer(Thread& thread, const abi::Submission& entry);
    Outcome submit_signal(Thread& thread, const abi::Submission& entry);
    void signal(Notification& notification, u64 bits);
    struct Word {
        Memory* memory;
        u64 offset;
    };
    std::optional<Word> word_at(Thread& thread, u64 address) const;
    u32 read_word(Word word) const;

    // --- object_calls.cc ---
    Outcome call_object(Thread& thread, const abi::Submission& entry, Node& node, Pending* record = nullptr);
    KernelResult<Restart> dispatch(ObjectCall& call);
    Outcome reply_object(ObjectCall& call, Status status);
    Restart defer(ObjectCall& call, PendingQueue& waiters);
    void complete_deferred(Pending& pending, Status status);
    void* charge_and_take(Account& account, Resources extra);
    template <typename T, typename... Arguments>
    KernelResult<T*> make_object(Account& account, Interface interface, Resources extra, Arguments&&... arguments) {
        void* cell = charge_and_take(account, extra);
        if (cell == nullptr) return fail(Status::quota);
        static_assert(sizeof(T) <= kObjectCellBytes && alignof(T) <= 16);
        T* object = new (cell) T(std::forward<Arguments>(arguments)...);
        adopt(*object, interface, account);
        return object;
    }
    void adopt(Object& object, Interface interface, Account& account);

    // --- methods: object_account.cc, object_process.cc, object_memory.cc, object_ipc.cc, object_machine.cc, object_ports.cc,
    // object_interrupt.cc ---
    KernelResult<Restart> call_account(ObjectCall& call);
    KernelResult<Restart> call_process(ObjectCall& call);
    KernelResult<Restart> create_thread(ObjectCall& call, Process& process);
    KernelResult<Restart> call_thread(ObjectCall& call);
    KernelResult<Restart> start_thread(ObjectCall& call, Thread& thread);
    KernelResult<Restart> handle_faults(ObjectCall& call, Thread& thread);
    KernelResult<Restart> call_space(ObjectCall& call);
    static Restart change_later(ObjectCall& call, Region& region);
    KernelResult<Restart> map_call(ObjectCall& call, AddressSpace& space);
    KernelResult<Restart> call_memory(ObjectCall& call);
    KernelResult<Restart> write_memory(ObjectCall& call, Memory& memory);
    KernelResult<Restart> call_endpoint_object(ObjectCall& call);
    static Restart give_up_slots(ObjectCall& call, Restart restart);
    KernelResult<Restart> mint(ObjectCall& call, u64 badge);
    KernelResult<Restart> call_clock(ObjectCall& call);
    KernelResult<Restart> call_kernel_log(ObjectCall& call);
    KernelResult<Restart> call_entropy(ObjectCall& call);
    KernelResult<Restart> call_power(ObjectCall& call);
    KernelResult<Restart> call_platform(ObjectCall& call);
    KernelResult<Restart> call_profile(ObjectCall& call);
    static idl::Profile::Sizes::Results object_sizes();
    KernelResult<Restart> call_port_space(ObjectCall& call);
    KernelResult<Restart> call_ports(ObjectCall& call);
    KernelResult<Restart> read_while(ObjectCall& call, PortRange range);
    IoPorts* claim_of(PortRange range) const;
    void release_ports(IoPorts& ports);
    void regain_console();
    KernelResult<Restart> call_interrupt_space(ObjectCall& call);
    KernelResult<Restart> claim_line(ObjectCall& call, const InterruptSource& source);
    KernelResult<Restart> call_interrupt(ObjectCall& call);
    void take_interrupts();
    void look_at_interrupt(Interrupt& interrupt);
    void release_interrupt(Interrupt& interrupt);

    // --- mapping.cc ---
    KernelResult<Region*> map(AddressSpace& space, Memory& memory, Node& through, u64 first_page, VirtualAddress start,
                              PageCount pages, Access access);
    KernelResult<Region*> map_ring(AddressSpace& space, PhysicalAddress block, u8 order);
    KernelResult<Region*> make_region(AddressSpace& space, VirtualAddress start, PageCount pages);
    void enter_page(Region& region, u64 page, PhysicalAddress frame, u64 page_bytes);
    void enter_resident(Region& region);
    KernelResult<Region*> whole_region(AddressSpace& space, u64 address, u64 bytes);
    void unmap(Region& region);
    bool unmap_step(Region& region, u32& units);
    bool retire(Region& region);
    void free_region(Region& region);
    bool finish_retiring(Region& region);
    bool free_tables(Region& region);
    static bool large_fits(const Region& region, u64 page);
    void set_access(Region& region, Access access);
    void protect_step(Region& region);
    bool await_invalidation(Region& region);
    void settle_access(Region& region);
    void lose(Region& region);
    void detach(Region& region);
    PhysicalAddress scrap_frame(Region& region);
    void retire_step();
    bool uses_here(const AddressSpace& space) const;
    void flush_here(const AddressSpace& space, VirtualAddress page);
    void note_changer(Region& region);
    bool may_retire() const;
    bool report_lost(Process& process);

    // --- lifecycle.cc ---
    KernelResult<Process*> make_process(Account& account, u32 slots, std::string_view name);
    struct ThreadLayout {
        u32 pending, received, fpu, bytes;  // offsets in the thread's block, and its size
        u8 order;
    };
    static ThreadLayout thread_layout(const RingGeometry& geometry);
    KernelResult<Thread*> make_thread(Process& process, const RingGeometry& geometry, u8 priority, std::string_view name,
                                      PhysicalAddress region_block);
    KernelResult<Restart> prepare(Thread& thread, u8 order);
    PhysicalAddress take_prepared(Thread& thread);
    void drop_prepared(Thread& thread);
    void start(Thread& thread, u64 entry, u64 stack, u64 argument, u32 start_offset, u32 start_length);
    void look_again(Thread& thread);
    void pin(Thread& thread, Cpu* cpu);
    void end_thread(Thread& thread);
    void end_process(Process& process);
    void fail_machine(const Process& process);
    void crash(Thread& thread, abi::CrashCause cause, u32 error_code, u64 address);
    static abi::CrashRecord record_of(const Thread& thread, u32 cause, u32 error_code, u64 address);

    // --- reaper.cc ---
    bool reap_step(u32& units);
    bool reap(Object& object, u32& units);
    bool kill_capabilities(Object& object, u32& units);
    bool reap_account(Account& account, u32& units);
    bool reap_process(Process& process, u32& units);
    bool reap_space(AddressSpace& space, u32& units);
    bool reap_thread(Thread& thread, u32& units);
    bool end_records(Thread& thread, u32& units);
    bool reap_memory(Memory& memory, u32& units);
    bool reap_endpoint(Endpoint& endpoint, u32& units);
    bool reap_notification(Notification& notification, u32& units);
    bool reap_ports(IoPorts& ports, u32& units);
    bool reap_interrupt(Interrupt& interrupt, u32& units);
    void hand_over_unfinished(Thread& thread);
    void end_use(NodeUse& use);
    void free_cell(Object& object, Resources extra);
    void disown(Object& object, Resources charged);

    // --- faults.cc ---
    Progress start_fault(Thread& thread);
    Progress stall(Thread& thread, Region& region);
    Progress page_fault(Thread& thread, Region& region, u64 page);
    Progress prepare_page(Thread& thread, const Region& region, u64 page);
    bool call_fault_handler(Thread& thread, u32 cause);
    void answer_fault(Thread& thread, Status status, bool resume);
    static bool wants_resume(const std::byte* message, u32 length);

    std::span<Cpu> cpus_;
    FrameAllocator& frames_;
    PageTable kernel_table_;
    std::string_view command_line_;
    u64 kernel_bytes_;
    std::span<const PortRange> kept_ports_;
    PortRange console_ports_;
    std::span<const formats::MadtOverride> interrupt_overrides_;

    // Of the step in progress.
    Cpu* here_{};
    Time now_{};
    Action::Kind machine_action_{Action::Kind::run};  // another one: the end of the machine
    Status entry_status_{Status::ok};                 // of the entry just taken, for links
    Pending* entry_pending_{};

    Consequences consequences_;
    NodeTree nodes_;
    CellPool<kObjectCellBytes> cells_;
    Scheduler scheduler_;
    Invalidation invalidation_;
    List<Region, &Region::work_link> losing_;    // their memory went, or who began to change them has ended
    List<Region, &Region::work_link> retiring_;  // wait for other CPUs, in order of their stamps
    u32 share_{};                                // counts steps, for the reaper's share
    u64 next_pid_{1};

    Account root_account_;
    Object clock_{ObjectType::clock};
    Object kernel_log_{ObjectType::kernel_log};
    Object entropy_{ObjectType::entropy};
    Object power_{ObjectType::power};
    Object platform_info_{ObjectType::platform_info};
    Object profile_{ObjectType::profile};
    Object port_space_{ObjectType::io_port_space};
    Object interrupt_space_{ObjectType::interrupt_space};
    PortClaims port_claims_;
    Interrupt* interrupts_[kInterruptsMax]{};  // by number
    const Process* boot_process_{};  // without it the machine does not go on
};

}  // namespace capos::kernel
