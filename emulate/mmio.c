/*
 * Device memory: fetch the instruction (emulate/insn_cache.h), do what it does. See emulate/mmio.h.
 *
 * The exit tells the guest-physical address, so plain moves need no address arithmetic and no walk
 * but that of the code itself. The other forms are in files of their own (emulate/mmio_form.h).
 */
#include "emulate/mmio.h"
#include "decode/decode.h"
#include "emulate/emulator.h"
#include "emulate/mmio_form.h"
#include "emulate/operate.h"
#include "emulate/string_insn.h"
#include "lib/likely.h"
#include "machine/machine.h"

/* MOV and its kin, all in one page. */
static void plain_move(struct emulator *e, const struct decode *insn, gpa_t at)
{
    if (insn->op == DECODE_LOAD) {
        uint64_t value = machine_mmio_read(e->machine, e->lapic, at, insn->size);
        operate_set_register(e->virt, insn, operate_extend(insn, value));
    } else {
        machine_mmio_write(e->machine, e->lapic, at, insn->size, operate_source(e->virt, insn));
    }
    virt_skip_len(e->virt, insn->length);
}

/* A breakpoint wants the linear address. */
static bool is_plain_move(const struct emulator *e, const struct decode *insn, gpa_t at)
{
    return insn->plain && mmio_lies_in_page(at, insn->size) && !e->breakpoints.armed;
}

static int string(struct emulator *e, const struct decode *insn)
{
    int done = string_insn_emulate(e, insn);

    if (done > 0)
        virt_skip_len(e->virt, insn->length);
    else if (!done)
        string_insn_pause(e);
    return done < 0 ? done : 0;
}

int mmio_emulate(struct emulator *e, gpa_t at)
{
    const struct decode *insn = insn_cache_fetch(e);
    int err;

    if (unlikely(!insn))
        return e->fetch_error;
    if (likely(is_plain_move(e, insn, at))) {
        plain_move(e, insn, at);
        return 0;
    }
    if (insn->op >= DECODE_PUSH)
        err = mmio_stack(e, insn);
    else if (decode_is_string(insn->op))
        err = string(e, insn);
    else
        err = mmio_memory(e, insn, at);
    return err ? err : 1;
}
