/*
 * What the hvm machine tells an ACPI operating system of its fixed devices.
 *
 * Every device is on the board, named here with its ports and its line.
 * Addresses are those of machine/pc.h. The processors are in an SSDT that
 * machine/acpi_guest.c makes, since only it knows how many there are.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "CAISSN", "HVM", 1)
{
    /* The OS says here which interrupt controllers it uses; no routing depends on it. */
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
