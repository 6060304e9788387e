/*
 * A bus with its host bridge, and what PCI devices the domain may have of the machine's. The windows
 * are where their registers can be; machine/acpi_guest.c moves the last one to the upper half of what
 * the guest's processors can address. Systems believe the MCFG table only if its memory is somebody's
 * (PCI Firmware Specification, "MCFG Table Description"). For both of the boards' DSDTs, below \_SB.
 */
Device (ECAM)
{
    Name (_HID, EisaId ("PNP0C02"))
    Name (_CRS, ResourceTemplate ()
    {
        Memory32Fixed (ReadWrite, 0xC0000000, 0x00100000)
    })
}
Device (PCI0)
{
    Name (_HID, EisaId ("PNP0A03"))
    Name (_BBN, Zero)
    Name (_CRS, ResourceTemplate ()
    {
        WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
            0, 0, 0, 0, 1)
        IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
        WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
            0, 0x0000, 0x0CF7, 0, 0x0CF8)
        WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
            0, 0x0D00, 0xFFFF, 0, 0xF300)
        DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
            ReadWrite, 0, 0xC0100000, 0xFEBFFFFF, 0, 0x3EB00000)
        QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
            ReadWrite, 0, 0x800000000, 0xFFFFFFFFF, 0, 0x800000000)
    })
}
