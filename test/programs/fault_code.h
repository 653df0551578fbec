// fault_code.h - the pieces of code that the fault matrix runs, each of which does one forbidden thing. A piece that gets away
// with it ends in test_survived, which exits with kSurvived.
#pragma once

#include "abi/types.h"

namespace capos::test {

inline constexpr u64 kSurvived = 77;

// What plant_and_jump puts into the registers before it jumps, for the crash record to show.
inline constexpr u64 kPlantedRbx = 0xb0b0b0b0'00000001, kPlantedR12 = 0x12121212'00000002, kPlantedR13 = 0x13131313'00000003,
                     kPlantedR14 = 0x14141414'00000004, kPlantedR15 = 0x15151515'00000005;

inline constexpr u64 kNonCanonical = 0x8000'0000'0000'0000;
inline constexpr u64 kKernelAddress = 0xffff'8000'0000'0000;  // the lowest of the kernel's half: its direct map
inline constexpr u64 kUnmapped = 0x1234'5000;
inline constexpr u64 kUserTop = 0x7fff'ffff'f000;  // never mappable

extern "C" {

[[noreturn]] void plant_and_jump(void (*code)());
[[noreturn]] void test_survived();

// #DE, #DB, #BP, #OF, #UD
void code_divide_by_zero();
void code_divide_overflow();
void code_single_step();
void code_icebp();
void code_int3();
void code_int_3();
void code_int_4();
void code_ud2();
void code_lock_nop();
void code_mov_ss_int3();
// #SS, #GP
void code_stack_non_canonical();
void code_push_non_canonical();
void code_read_non_canonical();
void code_hlt();
void code_cli();
void code_in();
void code_out();
void code_mov_cr0();
void code_mov_cr3();
void code_mov_dr7();
void code_rdmsr();
void code_wrmsr();
void code_lgdt();
void code_sgdt();
void code_invlpg();
void code_swapgs();
void code_sysret();
void code_xsetbv();
void code_int_0x80();
void code_int_timer();
void code_int_double_fault();
void code_load_ds();
void code_far_jump();
void code_iret_to_kernel();
void code_iret_nested_task();
void code_iopl_cli();
// #PF
void code_read_null();
void code_read_unmapped();
void code_read_kernel();
void code_write_kernel();
void code_jump_kernel();
void code_jump_null();
void code_jump_non_canonical();
void code_return_non_canonical();
void code_jump_stack();
void code_write_code();
void code_read_user_top();
void code_overflow_stack();
void code_ud2_without_stack();
// #MF, #XM, #AC
void code_x87_error();
void code_simd_error();
void code_misaligned();
// System calls that are none
void code_system_call_2();
void code_system_call_max();
void code_enter_too_many();
void code_enter_wait_too_many();
void code_enter_huge();
// System calls in odd states; what gets through them ends with exit code kSurvived
void code_system_call_single_step();
void code_mov_ss_system_call();
void code_system_call_nested_task();
void code_system_call_backwards();
void code_system_call_alignment_flag();
void code_system_call_gs_base();
void code_system_call_without_stack();
void code_interrupt_without_stack();

}  // extern "C"

}  // namespace capos::test
