// cpu_table.h - which CPU has which local APIC id. The only place that makes a CpuId from one; an id that is not in the table
// gives nothing, never the boot CPU (R13).
//
// The boot CPU adds itself first, then each processor before it starts it; entries never change, and a processor that does not
// come up keeps its place. So a started processor reads the table without a lock: what it reads was written before its start.
#pragma once

#include <array>
#include <optional>

#include "core/types.h"
#include "formats/support/result.h"

namespace capos::kernel {

enum class CpuTableError : u8 { full, duplicate };

class CpuTable {
public:
    // Gives the next index. Errors: duplicate (two processors with one id: firmware is wrong), full.
    Result<CpuId, CpuTableError> add(u32 apic_id) {
        if (find(apic_id)) return fail(CpuTableError::duplicate);
        if (count_ == kCpusMax) return fail(CpuTableError::full);
        apic_ids_[count_] = apic_id;
        return CpuId{count_++};
    }

    std::optional<CpuId> find(u32 apic_id) const {
        for (u32 index = 0; index < count_; ++index) {
            if (apic_ids_[index] == apic_id) return CpuId{index};
        }
        return std::nullopt;
    }

    std::optional<u32> apic_id(CpuId cpu) const {
        if (cpu.index >= count_) return std::nullopt;
        return apic_ids_[cpu.index];
    }

    u32 count() const { return count_; }

private:
    std::array<u32, kCpusMax> apic_ids_{};
    u32 count_{};
};

}  // namespace capos::kernel
