/* The work that capOS's figures are compared with, done by Linux: this program is /init of a Linux in the same emulator.
 *
 * One tick of the time stamp counter is one guest instruction (-icount shift=0). Each row runs `kBatches` batches; printed are
 * the median and the largest mean of a batch. Both ends of a round trip run on the only CPU; a round trip is a request and an
 * answer of the same size. Anything that fails ends the run with a line that says what. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kBatches = 9, kPage = 4096, kRingEntries = 64 };

static void require(int good, const char *what) {
    if (good) return;
    printf("FAILED %s: %s\n", what, strerror(errno));
    fflush(stdout);
    for (;;) pause();
}

static uint64_t ticks(void) {
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints the cost of one operation; `work(n)` does n times `operations` of them. `prepare(n)` is not counted. */
static void measure_prepared(const char *row, long n, long operations, void (*prepare)(long), void (*work)(long)) {
    double means[kBatches];
    prepare(n);
    work(n / 16 + 1);
    for (int batch = 0; batch < kBatches; ++batch) {
        prepare(n);
        const uint64_t start = ticks();
        work(n);
        means[batch] = (double)(ticks() - start) / (double)(n * operations);
    }
    qsort(means, kBatches, sizeof means[0], ascending);
    printf("BENCH %s %.1f %.1f %d instructions\n", row, means[kBatches / 2], means[kBatches - 1], kBatches);
    fflush(stdout);
}

static void no_preparation(long n) { (void)n; }
static void measure(const char *row, long n, long operations, void (*work)(long)) {
    measure_prepared(row, n, operations, no_preparation, work);
}

/* Exactly 1,000 instructions in each round: proves that the unit is what it should be. */
static void calibration(long n) {
    __asm__ volatile("1:\n\t.rept 998\n\tnop\n\t.endr\n\tdec %0\n\tjnz 1b" : "+r"(n) : : "cc");
}

static void getppid_alone(long n) {
    for (long i = 0; i < n; ++i) {
        long result;
        __asm__ volatile("syscall" : "=a"(result) : "0"(SYS_getppid) : "rcx", "r11", "memory");
    }
}

/* --- round trips between two processes --- */

static struct {
    _Atomic int request, answer;
    char request_text[kPage], answer_text[kPage];
} *shared;
static int request_pipe[2], answer_pipe[2], request_event, answer_event;
static size_t text_bytes;
static char text[kPage];

static void transfer(int file, char *bytes, size_t count, ssize_t (*call)(int, char *, size_t)) {
    while (count > 0) {
        const ssize_t done = call(file, bytes, count);
        require(done > 0, "pipe");
        bytes += done;
        count -= (size_t)done;
    }
}
static ssize_t reading(int file, char *bytes, size_t count) { return read(file, bytes, count); }
static ssize_t writing(int file, char *bytes, size_t count) { return write(file, bytes, count); }

static void pipe_client(long n) {
    for (long i = 0; i < n; ++i) {
        transfer(request_pipe[1], text, text_bytes, writing);
        transfer(answer_pipe[0], text, text_bytes, reading);
    }
}
static void pipe_server(void) {
    for (;;) {
        transfer(request_pipe[0], text, text_bytes, reading);
        transfer(answer_pipe[1], text, text_bytes, writing);
    }
}

static void signal_event(int file) {
    const uint64_t one = 1;
    require(write(file, &one, sizeof one) == sizeof one, "eventfd write");
}
static void await_event(int file) {
    uint64_t count;
    require(read(file, &count, sizeof count) == sizeof count, "eventfd read");
}

static void eventfd_client(long n) {
    for (long i = 0; i < n; ++i) {
        memcpy(shared->request_text, text, text_bytes);
        signal_event(request_event);
        await_event(answer_event);
        memcpy(text, shared->answer_text, text_bytes);
    }
}
static void eventfd_server(void) {
    for (;;) {
        await_event(request_event);
        memcpy(text, shared->request_text, text_bytes);
        memcpy(shared->answer_text, text, text_bytes);
        signal_event(answer_event);
    }
}

static void futex_wake(_Atomic int *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0); }
static void futex_await(_Atomic int *word, int old) {
    while (atomic_load_explicit(word, memory_order_acquire) == old) syscall(SYS_futex, word, FUTEX_WAIT, old, NULL, NULL, 0);
}

static void futex_client(long n) {
    for (long i = 0; i < n; ++i) {
        const int old = atomic_load_explicit(&shared->answer, memory_order_acquire);
        atomic_fetch_add_explicit(&shared->request, 1, memory_order_release);
        futex_wake(&shared->request);
        futex_await(&shared->answer, old);
    }
}
static void futex_server(void) {
    for (int served = 0;; ++served) {
        futex_await(&shared->request, served);
        atomic_store_explicit(&shared->answer, served + 1, memory_order_release);
        futex_wake(&shared->answer);
    }
}

static void round_trip(const char *row, size_t bytes, void (*client)(long), void (*server)(void)) {
    text_bytes = bytes;
    const pid_t child = fork();
    require(child >= 0, "fork");
    if (child == 0) server();
    measure(row, 2000, 1, client);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* --- io_uring: no-operations, submitted and collected by one system call --- */

static struct {
    int file;
    unsigned *submit_tail, *submit_mask, *complete_head, *complete_tail;
    struct io_uring_sqe *entries;
    unsigned batch;
} ring;

static void open_ring(void) {
    struct io_uring_params wanted = {0};
    ring.file = (int)syscall(SYS_io_uring_setup, kRingEntries, &wanted);
    require(ring.file >= 0, "io_uring_setup");
    const size_t submit = wanted.sq_off.array + wanted.sq_entries * sizeof(unsigned);
    const size_t complete = wanted.cq_off.cqes + wanted.cq_entries * sizeof(struct io_uring_cqe);
    const int access = PROT_READ | PROT_WRITE, sharing = MAP_SHARED | MAP_POPULATE;
    const size_t entries = wanted.sq_entries * sizeof(struct io_uring_sqe);
    char *rings = mmap(NULL, submit > complete ? submit : complete, access, sharing, ring.file, IORING_OFF_SQ_RING);
    ring.entries = mmap(NULL, entries, access, sharing, ring.file, IORING_OFF_SQES);
    require(rings != MAP_FAILED && ring.entries != MAP_FAILED, "io_uring mmap");
    ring.submit_tail = (unsigned *)(rings + wanted.sq_off.tail);
    ring.submit_mask = (unsigned *)(rings + wanted.sq_off.ring_mask);
    ring.complete_head = (unsigned *)(rings + wanted.cq_off.head);
    ring.complete_tail = (unsigned *)(rings + wanted.cq_off.tail);
    unsigned *order = (unsigned *)(rings + wanted.sq_off.array);
    for (unsigned i = 0; i < wanted.sq_entries; ++i) order[i] = i;
}

static void ring_nops(long n) {
    for (long i = 0; i < n; ++i) {
        unsigned tail = *ring.submit_tail;
        for (unsigned k = 0; k < ring.batch; ++k) {
            struct io_uring_sqe *entry = &ring.entries[tail++ & *ring.submit_mask];
            memset(entry, 0, sizeof *entry);
            entry->opcode = IORING_OP_NOP;
        }
        __atomic_store_n(ring.submit_tail, tail, __ATOMIC_RELEASE);
        syscall(SYS_io_uring_enter, ring.file, ring.batch, ring.batch, IORING_ENTER_GETEVENTS, NULL, 0);
        const unsigned posted = __atomic_load_n(ring.complete_tail, __ATOMIC_ACQUIRE) - *ring.complete_head;
        require(posted == ring.batch, "io_uring completions");
        __atomic_store_n(ring.complete_head, *ring.complete_head + posted, __ATOMIC_RELEASE);
    }
}

/* --- memory, threads, processes --- */

static char *anonymous(size_t bytes) {
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    return memory;
}

static void map_unmap(long n) {
    for (long i = 0; i < n; ++i) munmap(anonymous(kPage), kPage);
}

static char *untouched;

static void map_untouched(long n) {
    static size_t bytes;
    if (untouched != NULL) munmap(untouched, bytes);
    bytes = (size_t)n * kPage;
    untouched = anonymous(bytes);
    madvise(untouched, bytes, MADV_NOHUGEPAGE);
}
static void first_touch(long n) {
    for (long i = 0; i < n; ++i) *(volatile char *)(untouched + i * kPage) = 1;
}

static void *nothing(void *argument) { return argument; }
static void threads(long n) {
    for (long i = 0; i < n; ++i) {
        pthread_t thread;
        require(pthread_create(&thread, NULL, nothing, NULL) == 0, "pthread_create");
        pthread_join(thread, NULL);
    }
}

static void vfork_exit(long n) {
    for (long i = 0; i < n; ++i) {
        const pid_t child = vfork();
        if (child == 0) _exit(0);
        waitpid(child, NULL, 0);
    }
}

static void spawn(long n) {
    char *arguments[] = {"/tiny", NULL}, *environment[] = {NULL};
    for (long i = 0; i < n; ++i) {
        pid_t child;
        int status;
        require(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environment) == 0, "posix_spawn");
        waitpid(child, &status, 0);
        require(status == 0, "the spawned program");
    }
}

int main(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(shared != MAP_FAILED, "mmap");
    request_event = eventfd(0, 0);
    answer_event = eventfd(0, 0);
    require(pipe(request_pipe) == 0 && pipe(answer_pipe) == 0 && request_event >= 0 && answer_event >= 0, "files");

    measure("calibration", 10000, 1, calibration);
    measure("getppid", 50000, 1, getppid_alone);
    round_trip("pipe_4096", kPage, pipe_client, pipe_server);
    round_trip("eventfd_64", 64, eventfd_client, eventfd_server);
    round_trip("futex_0", 0, futex_client, futex_server);
    open_ring();
    ring.batch = 1;
    measure("uring_nop_1", 10000, 1, ring_nops);
    ring.batch = 32;
    measure("uring_nop_32", 1000, 32, ring_nops);
    measure("mmap_munmap", 2000, 1, map_unmap);
    measure_prepared("fault_first_touch", 4096, 1, map_untouched, first_touch);
    measure("pthread_create_join", 300, 1, threads);
    measure("vfork_exit", 300, 1, vfork_exit);
    measure("posix_spawn", 100, 1, spawn);
    printf("BENCH done\n");
    fflush(stdout);
    for (;;) pause();  /* the host ends the emulator */
}
