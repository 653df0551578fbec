// queue.h - a queue: requests one way, completions the other way, in one shared Memory that the client owns and pays for. Pure.
//
//      page 0         QueueHeader
//      then           the ring of requests, the ring of completions (ring.h), and the data buffers, page-aligned
//
// The client makes it and says the geometry when it attaches; the server checks that geometry against the memory's true size
// and keeps its own copy. The header is for people with a debugger: neither side reads it back.
//
// A queue is a transport, never a record (design-system §2): the client keeps each request whose completion it has not
// consumed in private memory, and after `disconnected` attaches anew with fresh memory and submits exactly those again, oldest
// first. A server never reads a queue that another instance served.
#pragma once

#include "formats/support/result.h"
#include "runtime/base/memory.h"
#include "runtime/queue/ring.h"

namespace capos::runtime::queue {

inline constexpr u32 kQueueMagic = 0x51504143;  // "CAPQ"
inline constexpr u16 kQueueVersion = 1;

// What client and server agree on when the client attaches.
struct Geometry {
    u32 entries{};     // of either ring
    u64 data_bytes{};  // behind the rings

    bool operator==(const Geometry&) const = default;
};

struct QueueHeader {
    u32 magic;
    u16 version;
    u16 request_bytes, completion_bytes;  // of one entry
    u16 reserved0;
    u32 entries;
    u64 data_offset, data_bytes;
    u64 epoch;  // of the client's attachment, counted by the client
};
static_assert(sizeof(QueueHeader) == 40 && std::is_trivially_copyable_v<QueueHeader>);

enum class QueueError : u8 {
    bad_geometry,  // entries no power of two or too many, or data that is no whole number of pages
    too_small,     // the memory is smaller than the geometry needs
};

template <typename Request, typename Completion>
struct Layout {
    usize completions_offset{}, data_offset{}, total_bytes{};

    static Result<Layout, QueueError> of(const Geometry& geometry) {
        constexpr u64 kDataBytesMax = u64{1} << 40;
        if (!valid_entries(geometry.entries) || geometry.data_bytes % kPageBytes != 0 || geometry.data_bytes > kDataBytesMax) {
            return fail(QueueError::bad_geometry);
        }
        Layout layout;
        layout.completions_offset = kPageBytes + ring_bytes<Request>(geometry.entries);
        const usize end = layout.completions_offset + ring_bytes<Completion>(geometry.entries);
        layout.data_offset = whole_pages(end);
        layout.total_bytes = layout.data_offset + geometry.data_bytes;
        return layout;
    }
};

// A data buffer as a request names it: an offset and a length, checked against the geometry once, before use. Errors of `slice`
// are the peer's mistakes.
struct DataRange {
    u64 offset{};
    u64 bytes{};
};
constexpr bool inside(const DataRange& range, const Geometry& geometry) {
    return range.offset <= geometry.data_bytes && range.bytes <= geometry.data_bytes - range.offset;
}

// The client's side. `memory` is the whole mapping, at least the layout's total_bytes, page-aligned, zero.
template <typename Request, typename Completion>
class Client {
public:
    static Result<Client, QueueError> create(std::byte* memory, u64 bytes, const Geometry& geometry, u64 epoch) {
        using Places = Layout<Request, Completion>;
        const Places layout = TRY(Places::of(geometry));
        if (bytes < layout.total_bytes) return fail(QueueError::too_small);
        const QueueHeader header{.magic = kQueueMagic,
                                 .version = kQueueVersion,
                                 .request_bytes = sizeof(Request),
                                 .completion_bytes = sizeof(Completion),
                                 .reserved0 = 0,
                                 .entries = geometry.entries,
                                 .data_offset = layout.data_offset,
                                 .data_bytes = geometry.data_bytes,
                                 .epoch = epoch};
        std::memcpy(memory, &header, sizeof header);
        return Client{memory, layout, geometry};
    }

    Producer<Request>& requests() { return requests_; }
    Consumer<Completion>& completions() { return completions_; }
    std::byte* data() const { return data_; }

private:
    Client(std::byte* memory, const Layout<Request, Completion>& layout, const Geometry& geometry)
        : requests_{memory + kPageBytes, geometry.entries}, completions_{memory + layout.completions_offset, geometry.entries},
          data_{memory + layout.data_offset} {}

    Producer<Request> requests_;
    Consumer<Completion> completions_;
    std::byte* data_;
};

// The server's side of a client's memory.
template <typename Request, typename Completion>
class Server {
public:
    // `bytes` is what is really mapped. Errors: bad_geometry, too_small.
    static Result<Server, QueueError> attach(std::byte* memory, u64 bytes, const Geometry& geometry) {
        using Places = Layout<Request, Completion>;
        const Places layout = TRY(Places::of(geometry));
        if (bytes < layout.total_bytes) return fail(QueueError::too_small);
        return Server{memory, layout, geometry};
    }

    Consumer<Request>& requests() { return requests_; }
    Producer<Completion>& completions() { return completions_; }
    // The bytes that a request names; null when they are not all data of this queue. The client can change them at any time.
    std::byte* data(const DataRange& range) const { return inside(range, geometry_) ? data_ + range.offset : nullptr; }

private:
    Server(std::byte* memory, const Layout<Request, Completion>& layout, const Geometry& geometry)
        : geometry_{geometry}, requests_{memory + kPageBytes, geometry.entries},
          completions_{memory + layout.completions_offset, geometry.entries}, data_{memory + layout.data_offset} {}

    Geometry geometry_;
    Consumer<Request> requests_;
    Producer<Completion> completions_;
    std::byte* data_;
};

}  // namespace capos::runtime::queue
