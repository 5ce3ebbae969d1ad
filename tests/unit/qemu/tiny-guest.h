/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Guests of a few instructions, so that real machines can live and die in tests within milliseconds. Each is an ELF file with the
 * note by which QEMU finds the 32-bit entry of a kernel.
 */
#include <elf.h>

#include "tests/unit/test.h"

typedef enum TinyGuest {
    TINY_IDLE,     /* says "hello" on the console and waits for ever */
    TINY_PANIC,    /* says what a kernel says that panics, and tells pvpanic */
    TINY_RESET,    /* a triple fault */
    TINY_SHUTDOWN, /* powers a PC off, or a microvm */
    TINY_TALKER,   /* says "tick" again and again, a moment apart */
    TINY_GUEST_MAX,
} TinyGuest;

typedef struct TinyRow {
    const char *text; /* first it is written to the serial port */
    uint8_t code[24]; /* a moment later this is run */
} TinyRow;

static const TinyRow tiny_guests[TINY_GUEST_MAX] = {
    [TINY_IDLE] = { "hello\r\n", { 0xfa, 0xf4, 0xeb, 0xfd } }, /* cli; hlt; jmp -3 */
    [TINY_PANIC] = { "[    0.1] Kernel panic - not syncing: no \x1b[1minit\r\n[    0.2] bye\r\n",
                     { 0xb0, 0x01, 0x66, 0xba, 0x05, 0x05, 0xee, 0xfa, 0xf4, 0xeb,
                       0xfd } }, /* out 0x505, 1 */
    [TINY_RESET] = { "early\r\n",
                     { 0x6a, 0x00, 0x6a, 0x00, 0x0f, 0x01, 0x1c, 0x24,
                       0xcc } }, /* push 0 twice; lidt (%esp); int3 */
    /* mov $0x604, %dx; mov $0x2000, %ax; out %ax, %dx; movb $0x34, 0xfea00200; cli; hlt; jmp -3 */
    [TINY_SHUTDOWN] = { "bye\r\n", { 0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef, 0xc6,
                                     0x05, 0x00, 0x02, 0xa0, 0xfe, 0x34, 0xfa, 0xf4, 0xeb, 0xfd } },
    [TINY_TALKER] = { "tick\r\n", { 0xe9, 0xd1, 0xff, 0xff, 0xff } }, /* jmp to the prologue's beginning */
};

enum { TINY_BASE = 0x200000, TINY_STACK = 0x300000 };

/*
 * mov $stack, %esp; mov $text, %esi; 1: lodsb; test %al, %al; jz 2f; mov $0x3f8, %dx; out %al, %dx; mov $0x2f8, %dx; out %al, %dx; jmp 1b;
 * 2: rdtsc; mov %eax, %ebx; 3: rdtsc; sub %ebx, %eax; cmp $0x10000000, %eax; jb 3b
 * Both serial ports, since which one is read differs; a port that is not there swallows it.
 * The wait (about 0.1 s) lets the runner see the end as it happens; one that comes too late sees its result.
 */
static const uint8_t tiny_prologue[] = {
    0xbc, 0,    0,    0,    0,    0xbe, 0,    0,    0,    0,    0xac, 0x84, 0xc0, 0x74,
    0x0c, 0x66, 0xba, 0xf8, 0x03, 0xee, 0x66, 0xba, 0xf8, 0x02, 0xee, 0xeb, 0xef, 0x0f,
    0x31, 0x89, 0xc3, 0x0f, 0x31, 0x29, 0xd8, 0x3d, 0,    0,    0,    0x10, 0x72, 0xf5,
};

typedef struct TinyElf {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    struct {
        Elf64_Nhdr header;
        char name[4];
        uint32_t entry, padding;
    } note;
    uint8_t code[72];
    char text[128];
} TinyElf;

static inline _unused_ void tiny_guest_write(int dir, const char *name, TinyGuest guest)
{
    const TinyRow *row = &tiny_guests[guest];
    uint32_t entry = TINY_BASE + offsetof(TinyElf, code), text = TINY_BASE + offsetof(TinyElf, text);
    uint32_t stack = TINY_STACK;
    TinyElf e = {
        .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                    .e_type = ET_EXEC,
                    .e_machine = EM_X86_64,
                    .e_version = EV_CURRENT,
                    .e_entry = entry,
                    .e_phoff = offsetof(TinyElf, segments),
                    .e_ehsize = sizeof e.header,
                    .e_phentsize = sizeof e.segments[0],
                    .e_phnum = 2 },
        .segments = { { .p_type = PT_LOAD,
                        .p_flags = PF_R | PF_W | PF_X,
                        .p_vaddr = TINY_BASE,
                        .p_paddr = TINY_BASE,
                        .p_filesz = sizeof e,
                        .p_memsz = sizeof e },
                      { .p_type = PT_NOTE,
                        .p_offset = offsetof(TinyElf, note),
                        .p_vaddr = TINY_BASE + offsetof(TinyElf, note),
                        .p_paddr = TINY_BASE + offsetof(TinyElf, note),
                        .p_filesz = sizeof e.note,
                        .p_memsz = sizeof e.note,
                        .p_align = 4 } },
        .note = { { .n_namesz = 4, .n_descsz = 8, .n_type = 18 }, "Xen", entry, 0 },
    };

    memcpy(e.code, tiny_prologue, sizeof tiny_prologue);
    memcpy(e.code + 1, &stack, sizeof stack);
    memcpy(e.code + 6, &text, sizeof text);
    memcpy(e.code + sizeof tiny_prologue, row->code, sizeof row->code);
    snprintf(e.text, sizeof e.text, "%s", row->text);
    assert_success(file_replace_at(dir, name, &e, sizeof e, 0644));
}
