/*
 * NMIs from outside. See arch/x86/nmi.h.
 *
 * As with machine checks, the handler says nothing itself. It silences the two sources that a PC
 * can name, which would otherwise keep the line low: memory parity (today: any SERR#) and I/O
 * check.
 *
 * Source: Intel chipset data sheets, "NMI Status and Control Register" (port 0x61).
 */
#include "arch/x86/nmi.h"

#include <stdint.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "lib/log.h"

#define PORT_B         0x61
#define PORT_B_KEEP    0x0F
#define PORT_B_NO_SERR 0x04
#define PORT_B_NO_IOCK 0x08
#define PORT_B_IOCK    0x40
#define PORT_B_SERR    0x80

/* Each written and read by its own pCPU. */
static struct {
    unsigned count;
    uint8_t reasons;
} pending[MAX_PCPUS];
static int vector; /* for telling; 0: none yet. Boot only */

static void tell(void)
{
    unsigned me = cpu_id(), n = pending[me].count;
    uint8_t why = pending[me].reasons;

    pending[me].count = 0;
    pending[me].reasons = 0;
    log_error("NMI from outside on pCPU %u, %u time(s)%s%s%s", me, n,
              why & PORT_B_SERR ? ", memory or PCI error (SERR)" : "",
              why & PORT_B_IOCK ? ", I/O check" : "",
              why ? "; that source is now silent" : ", no reason given");
}

static uint8_t take_reason(void)
{
    uint8_t port = inb(PORT_B), off = 0;

    if (port & PORT_B_SERR)
        off |= PORT_B_NO_SERR;
    if (port & PORT_B_IOCK)
        off |= PORT_B_NO_IOCK;
    if (off)
        outb(PORT_B, (port & PORT_B_KEEP) | off);
    return port & (PORT_B_SERR | PORT_B_IOCK);
}

void nmi_note(void)
{
    unsigned me = cpu_id();

    pending[me].count++;
    if (me == 0)
        pending[me].reasons |= take_reason();
    if (vector > 0)
        lapic_send_self((uint8_t)vector);
}

void nmi_init(void)
{
    vector = irq_alloc_vector(tell);
    lapic_open_nmi();
}
