#include "runtime/loop/service.h"

#include <algorithm>
#include <cstring>

#include "idl/kernel.h"

namespace capos::runtime {

namespace {

// Only Cap'n Proto's own kinds travel; what the kernel told us is our failure, not the caller's transport.
bool travels(Status status) {
    return status == Status::failed || status == Status::overloaded || status == Status::disconnected ||
           status == Status::unimplemented;
}

}  // namespace

std::coroutine_handle<> ActiveCall::proceed() {
    if (error()) service_.reply_error(token_, *error());
    service_.ended(*this);
    return std::noop_coroutine();
}

void ActiveCall::answer_nothing() {
    CapabilityList none;
    service_.reply(token_, {}, 0, none);
}

u64 Incoming::interface_id() const { return service_->loop().ring().message_header(completion_).interface_id; }

void Incoming::refuse(const Error& error) { service_->reply_error(completion_.token, error); }

Outcome<std::unique_ptr<Service>> Service::create(Loop& loop, Client receiver, const ServiceOptions& options) {
    const u32 each = align8(static_cast<u32>(sizeof(abi::MessageHeader)) + options.buffer_bytes);
    const ArenaRange buffers = loop.arena().allocate(each * options.buffers);
    if (buffers.length == 0) return fail(Error{Status::overloaded, 0, "the ring's arena has no room for receive buffers"});
    const u8 group = loop.take_group();
    if (group == Loop::kNoGroup) {
        loop.arena().free(buffers);
        return fail(Error{Status::overloaded, 0, "the ring's buffer groups are all in use"});
    }
    std::unique_ptr<Service> service{new Service{loop, std::move(receiver)}};
    service->receiving_ = loop.keep(std::make_unique<Receiving>(service.get(), loop, group, buffers));
    loop.submit(entry::receive_calls(service->receiver_.id(), {.group = group,
                                                               .count = static_cast<u8>(options.buffers),
                                                               .first_offset = buffers.offset,
                                                               .bytes_each = each,
                                                               .slots_each = options.slots}),
                service->receiving_);
    return service;
}

Service::~Service() {
    active_.clear();
    objects_.clear();
    if (receiving_ == nullptr) return;
    receiving_->service = nullptr;
    loop_.cancel(*receiving_);
}

// Calls that arrive after the service has gone are answered as if it had died.
void Service::Receiving::complete(const abi::Completion& completion) {
    if (static_cast<abi::CompletionKind>(completion.kind) == abi::CompletionKind::done) {
        if (service != nullptr) service->receiving_ = nullptr;
        loop.arena().free(buffers);
        loop.free_group(group);
        loop.drop(*this);
    } else if (service != nullptr) {
        service->complete(completion);
    } else if (static_cast<abi::CompletionKind>(completion.kind) == abi::CompletionKind::call) {
        loop.submit(entry::reply_error(completion.token, Status::disconnected, 0), nullptr);
    }
}

u64 Service::add(std::unique_ptr<Object> object) {
    const u64 badge = next_badge_++;
    objects_.emplace(badge, std::move(object));
    return badge;
}

Task<Client> Service::mint(u64 badge) {
    const idl::Receiver::Client receiver{Client::borrowed(loop_, receiver_.id())};
    auto minted = co_await attempt(receiver.mint(badge));
    if (!minted) {
        objects_.erase(badge);
        co_return fail(Error{minted.error()});
    }
    co_return std::move(minted->facet);
}

Object* Service::find(u64 badge) const {
    if (badge < kOwnBadges) return root_;
    const auto found = objects_.find(badge);
    return found == objects_.end() ? nullptr : found->second.get();
}

void Service::complete(const abi::Completion& completion) {
    switch (static_cast<abi::CompletionKind>(completion.kind)) {
        case abi::CompletionKind::call: return dispatch(completion);
        case abi::CompletionKind::cancelled: return caller_gone(completion.token);
        case abi::CompletionKind::notice:
            if (completion.token >= kOwnBadges) objects_.erase(completion.token);
            else if (root_ != nullptr) root_->dropped(completion.token);
            return;
        default: return;  // the RECEIVE itself has ended: the receiver was taken away
    }
}

void Service::dispatch(const abi::Completion& completion) {
    const u64 badge = loop_.ring().message_header(completion).badge;
    Object* object = find(badge);
    if (object == nullptr) return reply_error(completion.token, Error{Status::disconnected});
    object->badge_ = badge;
    object->dispatch(Incoming{*this, completion});
}

void Service::start(std::unique_ptr<ActiveCall> call, std::coroutine_handle<> task) {
    active_.push_back(std::move(call));
    task.resume();
}

void Service::dispose(std::vector<std::unique_ptr<ActiveCall>>::iterator place) {
    loop_.dispose(std::move(*place));
    *place = std::move(active_.back());
    active_.pop_back();
}

void Service::ended(ActiveCall& call) { dispose(std::ranges::find(active_, &call, &std::unique_ptr<ActiveCall>::get)); }

// RETURN frees the record; the result goes nowhere.
void Service::caller_gone(u64 token) {
    const auto place = std::ranges::find(active_, token, [](const auto& call) { return call->token(); });
    if (place == active_.end()) return;
    dispose(place);
    reply_error(token, Error{Status::disconnected});
}

void Service::reply(u64 token, ArenaRange message, u32 length, CapabilityList& capabilities) {
    loop_.count_answer();
    Message sent{.payload = {message.offset, length}, .capability_count = capabilities.count()};
    if (capabilities.count() != 0) {
        sent.capabilities_offset = message.offset + align8(length);
        std::memcpy(loop_.at(sent.capabilities_offset), capabilities.ids(), usize{capabilities.count()} * 8);
    }
    loop_.submit(entry::reply(token, sent), nullptr);
    if (message.length != 0) loop_.free_after_enter(message);
    capabilities.clear();  // what was given away is released after the RETURN: entries are taken in order
}

void Service::reply_error(u64 token, const Error& error) {
    const std::string_view said = error.text.empty() && !travels(error.status) ? name_of(error.status) : error.text;
    const usize bytes = std::min<usize>(said.size(), abi::kErrorTextBytesMax);
    ArenaRange text{};
    if (bytes != 0) text = loop_.arena().allocate(static_cast<u32>(bytes));
    if (text.length != 0) {
        std::memcpy(loop_.at(text.offset), said.data(), bytes);
        loop_.free_after_enter(text);
    }
    const Status kind = travels(error.status) ? error.status : Status::failed;
    loop_.submit(entry::reply_error(token, kind, error.code, text), nullptr);
}

}  // namespace capos::runtime
