/*
 * What the hvm machine tells an ACPI operating system of its fixed devices.
 *
 * Every device is on the board, named here with its ports and its line.
 * Addresses are those of machine/pc.h. The processors are in an SSDT that
 * machine/acpi_guest.c makes, since only it knows how many there are.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "CAISSN", "HVM", 1)
{
    /* The OS says here which interrupt controllers it uses: PCI0's _PRT goes by it. */
    Name (PICM, Zero)
    Method (_PIC, 1)
    {
        PICM = Arg0
    }

    /* Soft-off: what to write to SLP_TYP, as in devices/vpm.h. */
    Name (_S5, Package () { 5, 5, 0, 0 })

    Scope (_SB)
    {
        Include ("pci0.asl")

        /* Slots 4 to 31 and their pins go round four lines, which are pins 16 to 19 of the I/O
         * APIC, or inputs 11, 10, 10, 11 of the 8259s: VPCI_LINE_OF(), VPCI_ISA_IRQ() in
         * devices/vpci.h. */
        Method (PCI0._PRT, 0, Serialized)
        {
            Local0 = Package (112) {}
            Local1 = Zero
            While (Local1 < 112)
            {
                Local2 = (Local1 + (Local1 >> 2)) & 3
                Local3 = Package (4) { Zero, Zero, Zero, Zero }
                Local3[0] = ((Local1 >> 2) + 4) << 16 | 0xFFFF
                Local3[1] = Local1 & 3
                If (PICM)
                {
                    Local3[3] = Local2 + 16
                }
                Else
                {
                    Local3[3] = 11 - ((Local2 + 1) >> 1 & 1)
                }
                Local0[Local1] = Local3
                Local1++
            }
            Return (Local0)
        }

        Device (PIC)
        {
            Name (_HID, EisaId ("PNP0000"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0020, 0x0020, 1, 2)
                IO (Decode16, 0x00A0, 0x00A0, 1, 2)
                IO (Decode16, 0x04D0, 0x04D0, 1, 2)
                IRQNoFlags () { 2 }
            })
        }

        Device (TIMR)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0040, 0x0040, 1, 4)
                IRQNoFlags () { 0 }
            })
        }

        Device (SPKR)
        {
            Name (_HID, EisaId ("PNP0800"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0061, 0x0061, 1, 1)
            })
        }

        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 1, 2)
                IRQNoFlags () { 8 }
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                IRQNoFlags () { 4 }
            })
        }

        Device (COM2)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 2)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x02F8, 0x02F8, 1, 8)
                IRQNoFlags () { 3 }
            })
        }

        /* What else of the board nobody may take: SMI command, power management. */
        Device (MBRD)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0092, 0x0092, 1, 1)
                IO (Decode16, 0x00B2, 0x00B2, 1, 1)
                IO (Decode16, 0x0600, 0x0600, 1, 0x0C)
            })
        }
    }
}
