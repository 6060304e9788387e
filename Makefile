# Caisson's build. `make help` lists what it can do; `make V=1` shows the commands.
#
# One flat file: every room's sources are found by wildcard, so that adding a file needs no edit
# here. Everything made goes under $(B).

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

B      ?= build
CC      = gcc
NASM    = nasm
HOST_CC = gcc
PYTHON  = /usr/bin/python3
DEBUG  ?= 1
RETPOLINE ?= 0
V      ?=

ROOMS := boot arch/x86 mm drivers pci iommu devices virt vmx svm sched guestmem decode emulate passthrough machine cpu decompress loader config domain exits xen grant create lifecycle context control hypercall console monitor lib
O     := $(B)/obj
GEN   := $(B)/gen

# What is worth remembering between two runs of make: a change of any of it rebuilds.
# No code of ours has vectors, so stacks need no more than 8 bytes of alignment.
# Each function and object has a section of its own, so that the link leaves out what nobody uses.
WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
          -Wundef -Wpointer-arith -Wwrite-strings
CFLAGS := -std=gnu11 -g -ffreestanding -fbuiltin -fno-pic -fno-common -mcmodel=kernel -mno-red-zone \
          -mgeneral-regs-only $(if $(findstring clang,$(CC)),,-malign-data=abi -mpreferred-stack-boundary=3) -fno-omit-frame-pointer \
          -fno-strict-aliasing -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -fstack-protector-strong \
          -mstack-protector-guard=global $(if $(filter 1,$(RETPOLINE)),-mindirect-branch=thunk-extern -mindirect-branch-register) -DLOCKDEP=$(DEBUG) $(WARN) -I. $(EXTRA_CFLAGS)
# What runs between a VM exit and the next entry is compiled for speed, all else for size: both are
# counted (docs/performance.md), and `make bench-check` tells which of them a file belongs to. Jumps
# and loops are not aligned: on most ways they only add NOPs to run through. What is for size has no
# tables of jumps: comparisons are smaller. In a file for speed, what is not counted is `cold`
# (lib/likely.h).
HOT   := $(addprefix vmx/,stay run exit event regs msr apic cr vcpu flush) $(addprefix svm/,stay event regs msr cr vcpu flush) $(addprefix virt/,event fpu registers slat) \
         $(addprefix exits/,run exit device_access) $(addprefix domain/,lapic vcpu) machine/machine cpu/cpu_msr \
         $(addprefix emulate/,mmio insn_cache) $(addprefix guestmem/,gva gmem p2m p2m_change) \
         $(addprefix devices/,vlapic vlapic_regs vlapic_timer vpic vpit vioapic) \
         $(addprefix hypercall/,hypercall evtchn_op grant_op) \
         $(addprefix xen/,pair xen_domain pv_time evtchn evtchn_2l) $(addprefix grant/,grant grant_map grant_copy) \
         $(addprefix sched/,sched balance queue policy group timer unit) \
         $(addprefix mm/,window frame buddy heap) lib/string
SPEED := -O2 $(if $(findstring clang,$(CC)),,$(addsuffix =1,$(addprefix -falign-,functions jumps loops labels)))
SIZE  := -Oz -fno-jump-tables
NASMFLAGS := -f elf64 -g -F dwarf -w+all -Werror -I./
LDFLAGS   := -nostdlib -static -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
             -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,--fatal-warnings $(EXTRA_LDFLAGS)
LAYOUT    := linker.ld

# What freed frames are filled with, and whether the order of locks, the time that things take, the
# memory and refused entries are checked, is a question of which file is linked, not of an #if.
AUDIT    := mm/audit create/audit monitor/show_audit
CHECKS_OF_ENTRIES := vmx/check.c vmx/check_guest.c vmx/check_segment.c svm/check.c
LEFT_OUT := $(if $(filter 1,$(DEBUG)),mm/fill_release.c $(AUDIT:=_release.c) vmx/check_release.c svm/check_release.c, \
                mm/fill_debug.c $(AUDIT:=_debug.c) $(CHECKS_OF_ENTRIES) lib/lockdep.c arch/x86/bound.c) $(LEFT_OUT_TOO)
C_SRC    := $(filter-out $(LEFT_OUT),$(wildcard $(addsuffix /*.c,$(ROOMS))))
# RETPOLINE=1: indirect branches by way of returns, for CPUs without IBRS (docs/speculation.md).
ASM_SRC  := $(filter-out $(if $(filter 1,$(RETPOLINE)),,arch/x86/retpoline.asm),$(wildcard $(addsuffix /*.asm,$(ROOMS))))
# Each back end defines the functions that virt/interface lists, in the link under names of
# its own. The others call VT-x's, which lead to AMD-V's on an AMD machine: virt/choose.c.
INTERFACE := $(shell cat virt/interface)
BACKEND   := vmx
CALLS      = $(foreach f,$(INTERFACE),-Dvirt_$(f)=$(BACKEND)_$(f))
$(O)/svm/%.o: BACKEND := svm
GEN_SRC  := $(GEN)/machine/dsdt.c $(GEN)/machine/dsdt_pvh.c $(GEN)/machine/boot_rom.c $(GEN)/drivers/font_glyphs.c
OBJ      := $(C_SRC:%.c=$(O)/%.o) $(ASM_SRC:%.asm=$(O)/%.asm.o) $(GEN_SRC:$(GEN)/%.c=$(O)/gen/%.o) $(O)/gen/virt/interface.asm.o

Q   := $(if $(V),,@)
say  = @printf '  %-8s %s\n' $(1) $(2)

.PHONY: all
all: $(B)/caisson.elf $(B)/caisson.efi ## build build/caisson.elf and .efi (CC=gcc|clang, DEBUG=1|0, V=1, B=dir)

# ---- The kernel ---------------------------------------------------------------------------------

# Linked twice: the names of the first link become the symbol table of the second, for backtraces.
$(B)/caisson.elf: $(OBJ) $(LAYOUT) tools/symbols
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -T $(LAYOUT) -o $(O)/caisson.1 $(OBJ)
	$(Q)nm -S $(O)/caisson.1 | $(PYTHON) tools/mkinterface --check virt/interface
	$(Q)nm -n $(O)/caisson.1 | $(PYTHON) tools/symbols > $(O)/symbols.s
	$(Q)$(CC) -c -Wa,--fatal-warnings -o $(O)/symbols.o $(O)/symbols.s
	$(Q)$(CC) $(LDFLAGS) -T $(LAYOUT) -o $@ $(OBJ) $(O)/symbols.o

$(HOT:%=$(O)/%.o): LEVEL := $(SPEED)
LEVEL := $(SIZE)

$(O)/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LEVEL) $(CFLAGS) $(CALLS) -MMD -MP -c -o $@ $<

$(O)/gen/%.o: $(GEN)/%.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LEVEL) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/%.asm.o: %.asm $(B)/flags
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASMFLAGS) -MD $(@:.o=.d) -MP -MQ $@ -o $@ $<

# The compiler may see a memset in memset's own loop.
$(O)/lib/string.o: CFLAGS += $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns)

# The guests' DSDTs as C arrays: `const unsigned char dsdt_aml[]` and `const size_t dsdt_aml_size`.
$(GEN)/machine/dsdt.c $(GEN)/machine/dsdt_pvh.c: $(GEN)/%.c: %.asl machine/pci0.asl tools/bin2c $(B)/flags
	$(call say,IASL,$<)
	@mkdir -p $(@D)
	$(Q)iasl -vs -p $(@:.c=.aml) $< > $(@:.c=.log) || { cat $(@:.c=.log); false; }
	$(Q)$(PYTHON) tools/bin2c $(basename $(@F))_aml $(@:.c=.aml) > $@

# The ROM that starts a kernel beside a guest's firmware, as another.
$(GEN)/machine/boot_rom.c: machine/boot_rom.nasm tools/bin2c $(B)/flags
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) -f bin -w+all -Werror -o $(@:.c=.bin) $<
	$(Q)$(PYTHON) tools/bin2c boot_rom $(@:.c=.bin) > $@

# Where the functions of each back end are.
$(GEN)/virt/interface.asm: virt/interface tools/mkinterface
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/mkinterface $< > $@

$(O)/gen/%.asm.o: $(GEN)/%.asm $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(NASM) $(NASMFLAGS) -o $@ $<

# The letters of the framebuffer console, from their pictures.
$(GEN)/drivers/font_glyphs.c: drivers/font.txt tools/mkfont.py
	$(call say,FONT,$<)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/mkfont.py $< > $@

FLAGS_NOW = $(CC) $(CFLAGS) $(CALLS) $(SPEED) $(SIZE) $(HOT) $(NASMFLAGS) $(LDFLAGS) $(LEFT_OUT) $(OBJ) $(EFI_CFLAGS) $(EFI_OBJ)
$(B)/flags: FORCE | deps-build $(if $(findstring clang,$(CC)),deps-lint)
	@mkdir -p $(B)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' > $@
.PHONY: FORCE
FORCE:

-include $(OBJ:.o=.d)

# ---- caisson.efi: the same kernel with a boot loader of its own around it ------------------------

# A shared object in the layout that gnu-efi's linker script gives it, turned into PE by objcopy. What
# it shares with the kernel is compiled once more, as position-independent code.
EFI_O      := $(B)/efi
EFI_SHARED := boot/efi_memory.c boot/regions.c lib/fmt.c lib/string.c lib/word.c
EFI_OBJ    := $(patsubst %.c,$(EFI_O)/%.o,$(wildcard boot/efi/*.c) $(EFI_SHARED)) \
              $(patsubst %.asm,$(EFI_O)/%.asm.o,$(wildcard boot/efi/*.asm))
EFI_CFLAGS := -std=gnu11 -O2 -ffreestanding -fpic -fvisibility=hidden -fshort-wchar -mno-red-zone \
              -mgeneral-regs-only -fno-strict-aliasing -fno-stack-protector -fno-asynchronous-unwind-tables \
              -DGNU_EFI_USE_MS_ABI $(filter-out -Wundef -Wstrict-prototypes,$(WARN)) -I. -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
EFI_LIB    := /usr/lib

$(EFI_O)/%.o: %.c $(B)/flags
	$(call say,'CC efi',$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

$(EFI_O)/%.asm.o: %.asm $(B)/flags
	$(call say,NASM,$<)
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf64 -w+all -Werror -DKERNEL='"$(EFI_O)/caisson.stripped"' -o $@ $<

$(EFI_O)/boot/efi/kernel_image.asm.o: $(EFI_O)/caisson.stripped
$(EFI_O)/caisson.stripped: $(B)/caisson.elf
	@mkdir -p $(@D)
	$(Q)strip -o $@ $<

$(EFI_O)/lib/string.o: EFI_CFLAGS += $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns)

$(B)/caisson.efi: $(EFI_OBJ)
	$(call say,LD,$@)
	$(Q)ld -nostdlib -z nocombreloc -z noexecstack --fatal-warnings -shared -Bsymbolic --no-undefined -T $(EFI_LIB)/elf_x86_64_efi.lds \
	    -o $(EFI_O)/caisson.so $(EFI_LIB)/crt0-efi-x86_64.o $(EFI_OBJ) $(EFI_LIB)/libgnuefi.a
	$(Q)objcopy -j .text -j .data -j .dynamic -j .dynsym -j .rela -j .reloc \
	    --target efi-app-x86_64 $(EFI_O)/caisson.so $@

-include $(EFI_OBJ:.o=.d)

# The guests of our own: sets GUEST_ELF to the files it makes.
include guest/rules.mk

# ---- Tools that must be there -------------------------------------------------------------------

# deps-GROUP makes sure of the packages of one group of tools/packages, once per list.
DEPS = build iso qemu bochs test fuzz lint
.PHONY: $(DEPS:%=deps-%) deps
$(DEPS:%=deps-%): deps-%: $(B)/deps/%
$(B)/deps/%: tools/packages
	$(Q)tools/deps $*
	@mkdir -p $(@D) && touch $@

deps: ## install the Debian packages that all targets need (asks apt-get, through sudo if need be)
	$(Q)tools/deps $(DEPS)

# The first comment of a test or host program says what it links: /* links: devices/vpit.c lib/string.c libs: -lZydis */
first_line = $(shell grep -m1 -E '^/\* *links:' $(1))
links_of   = $(filter %.c,$(call first_line,$(1)))
libs_of    = $(filter -l%,$(call first_line,$(1)))

# ---- Images, and running them -------------------------------------------------------------------

comma   := ,
KERNEL  ?= $(B)/debian/vmlinuz
INITRD  ?= $(B)/initrd.img
MEM     ?= 256M
VCPUS   ?= 1
TYPE    ?= hvm
CMDLINE ?= $(if $(filter pvh,$(TYPE)),console=hvc0,console=ttyS0$(comma)115200)
OPTIONS ?= console=com1 exit=shutdown
RUN     ?=
# Of QEMU's machine, for Linux: see passed() in tools/qemu.py.
DISK    ?=
NET     ?=
PCI      = $(subst $(empty) ,$(comma),$(strip $(if $(DISK),00:04.0) $(if $(NET),00:05.0)))

$(B)/debian/vmlinuz: tools/fetch-debian-kernel tools/apt.sh | deps-build
	$(call say,FETCH,$@)
	$(Q)tools/fetch-debian-kernel $(@D)

$(B)/debian/grub-i386-xen_pvh.bin: | deps-build
	$(call say,FETCH,$@)
	$(Q)tools/fetch-grub-pvh $(@D)

$(B)/debian/vmlinuz-686: | deps-build
	$(call say,FETCH,$@)
	$(Q)tools/fetch-debian-686 $(@D)

$(B)/debian/xen.gz: | deps-build
	$(call say,FETCH,$@)
	$(Q)tools/fetch-images $(@D)

$(B)/debian/initrd-686.img: tools/mkinitrd $(B)/debian/vmlinuz-686
	$(call say,INITRD,$@)
	$(Q)$(PYTHON) tools/mkinitrd $@ $(@D)/busybox-686

$(B)/initrd.img: tools/mkinitrd | deps-build
	$(call say,INITRD,$@)
	$(Q)$(PYTHON) tools/mkinitrd $@

$(B)/debian/dom0/vmlinux: tools/fetch-debian-xen tools/apt.sh | deps-build
	$(call say,FETCH,$@)
	$(Q)tools/fetch-debian-xen $(B)/debian

# What a guest of the control domain's boots with: its disk and network drivers are modules.
$(B)/debian/guest.img: tools/mkinitrd $(B)/debian/vmlinuz
	$(call say,INITRD,$@)
	$(Q)$(PYTHON) tools/mkinitrd $@ "" $(B)/debian/modules

# xl would unpack the bzImage each time: where xl is measured, that has been done.
$(B)/debian/guest-vmlinux: tools/vmlinux $(B)/debian/vmlinuz
	$(call say,VMLINUX,$@)
	$(Q)tools/vmlinux $(@D)/vmlinuz $@

# A program of Linux, for the control domain.
$(B)/introduce: tools/introduce.c $(wildcard include/public/*.h include/public/*/*.h) | deps-build
	$(call say,'CC host',$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -std=gnu11 -O1 -Wall -Wextra -Werror -I. -static -s -o $@ $<

CONTROL_PARTS = $(B)/debian/dom0 $(B)/introduce --parrot $(B)/guest/parrot.elf
CONTROL_NEEDS = $(B)/introduce tools/mkcontrol tools/mkinitrd $(B)/debian/dom0/vmlinux $(B)/guest/parrot.elf
$(B)/debian/control.img: $(CONTROL_NEEDS)
	$(call say,INITRD,$@)
	$(Q)$(PYTHON) tools/mkcontrol $@ $(CONTROL_PARTS)

# With Debian's kernel as a guest to create, which makes it more than twice as large.
$(B)/debian/control-debian.img: $(CONTROL_NEEDS) $(B)/debian/vmlinuz $(B)/debian/guest.img
	$(call say,INITRD,$@)
	$(Q)$(PYTHON) tools/mkcontrol $@ $(CONTROL_PARTS) --debian $(B)/debian/vmlinuz $(B)/debian/guest.img

# With libvirt as well, five times as large.
$(B)/debian/libvirt/root: tools/fetch-debian-libvirt tools/apt.sh | deps-build
	$(call say,FETCH,$@)
	$(Q)tools/fetch-debian-libvirt $(B)/debian

$(B)/debian/control-libvirt.img: $(CONTROL_NEEDS) $(B)/debian/vmlinuz $(B)/debian/guest.img $(B)/debian/libvirt/root
	$(call say,INITRD,$@)
	$(Q)$(PYTHON) tools/mkcontrol $@ $(CONTROL_PARTS) --debian $(B)/debian/vmlinuz $(B)/debian/guest.img \
	    --libvirt $(B)/debian/libvirt

# What people give reaches the tools as they wrote it: neither make nor a shell finds anything in it.
unexport CMDLINE OPTIONS
shell_word = '$(subst ','\'',$(1))'
is_given   = $(filter-out file,$(firstword $(origin $(1))))
written    = $(if $(is_given),$(value $(1)),$($(1)))
argument   = $(call shell_word,$(call written,$(1)))
IMAGE_GIVEN = $(foreach v,KERNEL INITRD MEM VCPUS TYPE CMDLINE OPTIONS,$(v)=$(call argument,$(v)))

# A file that is not there is for imagecheck to tell of.
empty      :=
escaped     = $(subst $(empty) ,\ ,$(call written,$(1)))
file_given  = $(if $(is_given),$(if $(wildcard $(escaped)),$(escaped)),$($(1)))
IMAGE_FILES = $(call file_given,KERNEL) $(call file_given,INITRD)

$(B)/imagecheck: tools/imagecheck.c $(call links_of,tools/imagecheck.c) $(wildcard boot/*.h domain/*.h lib/*.h) | deps-build
	$(call say,'CC host',$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -std=gnu11 -O1 -Wall -Wextra -Werror -I. -o $@ $(filter %.c,$^)

# Looked at each time, also when the image is there: the files may have changed.
$(B)/image-options: $(B)/imagecheck $(IMAGE_FILES) FORCE
	$(Q)$(B)/imagecheck $(IMAGE_GIVEN)
	@printf '%s\n' $(IMAGE_GIVEN) PCI=$(PCI) | cmp -s - $@ || printf '%s\n' $(IMAGE_GIVEN) PCI=$(PCI) > $@

IMAGE_ARGUMENTS = --kernel $(call argument,KERNEL) --initrd $(call argument,INITRD) --mem $(call argument,MEM) \
                  --vcpus $(call argument,VCPUS) --type $(call argument,TYPE) --cmdline=$(call argument,CMDLINE)
$(B)/caisson.iso: $(B)/caisson.elf $(GUEST_ELF) $(IMAGE_FILES) $(B)/image-options \
                  tools/mkimage tools/mkiso.py tools/menu.py | deps-iso
	$(call say,ISO,$@)
	$(Q)$(PYTHON) tools/mkimage -o $@ --elf $< $(IMAGE_ARGUMENTS) $(if $(PCI),--pci $(PCI)) --options=$(call argument,OPTIONS) $(GUEST_ELF)

# The stick's Caisson uses every console there is, unless OPTIONS are given.
$(B)/caisson.img: $(B)/caisson.elf $(B)/caisson.efi $(GUEST_ELF) $(IMAGE_FILES) $(B)/image-options \
                  tools/mkstick tools/mkiso.py tools/mkesp.py tools/menu.py docs/hardware.md | deps-iso
	$(call say,IMAGE,$@)
	$(Q)$(PYTHON) tools/mkstick -o $@ --elf $(B)/caisson.elf --efi $(B)/caisson.efi $(IMAGE_ARGUMENTS) \
	    $(if $(call is_given,OPTIONS),--options=$(call argument,OPTIONS)) $(GUEST_ELF)

.PHONY: iso image run run-control
image: $(B)/caisson.img ## build build/caisson.img, for a USB stick, a disk or a CD, BIOS and UEFI (KERNEL= INITRD= CMDLINE= MEM= VCPUS= TYPE= OPTIONS=)

iso: $(B)/caisson.iso ## build build/caisson.iso: GRUB (BIOS and UEFI), Caisson, Debian's kernel, our guests

run: $(B)/caisson.iso ## boot it and connect this terminal (KERNEL= INITRD= CMDLINE= MEM= VCPUS= TYPE=hvm|pvh OPTIONS= DISK=file NET=user RUN='--emulator qemu --pcpus 4')
	$(Q)$(PYTHON) tools/run $< --install --guest-mem $(call argument,MEM) $(if $(DISK),--disk $(call argument,DISK)) \
	    $(if $(NET),--net $(call argument,NET)) $(RUN)

# Debian's Xen tools in a control domain, with one of our guests for them to look at: docs/toolstack.md.
# norandmaps: docs/qemu.md, "Programs".
CONTROL_CMDLINE = console=hvc0 quiet norandmaps
$(B)/control-options: FORCE
	@mkdir -p $(@D)
	@echo 'PCI=$(PCI) LIBVIRT=$(LIBVIRT)' | cmp -s - $@ || echo 'PCI=$(PCI) LIBVIRT=$(LIBVIRT)' > $@

CONTROL_IMAGE = $(B)/debian/control-$(if $(LIBVIRT),libvirt,debian).img
$(B)/control.iso: $(B)/caisson.elf $(B)/guest/echo.elf $(B)/debian/dom0/vmlinux $(CONTROL_IMAGE) \
                  $(B)/control-options tools/mkimage tools/mkiso.py tools/menu.py | deps-iso
	$(call say,ISO,$@)
	$(Q)$(PYTHON) tools/mkimage -o $@ --elf $< --kernel $(B)/debian/dom0/vmlinux --initrd $(CONTROL_IMAGE) \
	    --rights control --type pvh --mem $(if $(LIBVIRT),768M,448M) $(if $(PCI),--pci $(PCI)) --cmdline='$(CONTROL_CMDLINE)' --greeting none \
	    --beside echo $(B)/guest/echo.elf

run-control: $(B)/control.iso ## boot a control domain with Debian's Xen tools and connect this terminal (LIBVIRT=1 DISK=file NET=user RUN='--pcpus 2')
	$(Q)$(PYTHON) tools/run $< --install --mem $(if $(LIBVIRT),1280,1024) $(if $(DISK),--disk $(call argument,DISK)) $(if $(NET),--net $(call argument,NET)) \
	    $(RUN)

# ---- Tests --------------------------------------------------------------------------------------

UNIT      := $(sort $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c)))
U         := $(B)/unit
UNIT_CC   ?= gcc
UNIT_FLAGS = -std=gnu11 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
             -fno-sanitize-recover=all -Wall -Wextra -Werror -Itests/fakes -I. \
             -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI $(UNIT_EXTRA)

define unit_rule
$(U)/$(1): $$(patsubst %.c,$(U)/obj/%.o,tests/unit/$(1).c $$(call links_of,tests/unit/$(1).c))
	$$(call say,LD,$$@)
	$$(Q)$$(UNIT_CC) $$(UNIT_FLAGS) -o $$@ $$^ -lcmocka $$(call libs_of,tests/unit/$(1).c)
endef
ifneq ($(filter unit unit-build coverage $(U)/%,$(MAKECMDGOALS)),)
$(foreach t,$(UNIT),$(eval $(call unit_rule,$(t))))
-include $(shell find $(U)/obj -name '*.d' 2>/dev/null)
endif

$(U)/obj/%.o: %.c Makefile | deps-build deps-test
	$(call say,'CC host',$<)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<
$(U)/obj/gen/%.o: $(GEN)/%.c | deps-build deps-test
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<

# Tests with real threads, under ThreadSanitizer; they name what they link as the others do.
TSAN     := $(sort $(patsubst tests/tsan/%.c,%,$(wildcard tests/tsan/test_*.c)))
T_FLAGS  := -std=gnu11 -g -O1 -fno-omit-frame-pointer -fsanitize=thread -Wall -Wextra -Werror \
            -Itests/tsan/fakes -Itests/fakes -I.
define tsan_rule
$(B)/tsan/$(1): tests/tsan/$(1).c $$(call links_of,tests/tsan/$(1).c) FORCE | deps-build deps-test
	$$(call say,'CC tsan',$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(UNIT_CC) $$(T_FLAGS) -o $$@ $$(filter %.c,$$^) -lcmocka -lpthread
endef
ifneq ($(filter tsan $(B)/tsan/%,$(MAKECMDGOALS)),)
$(foreach t,$(TSAN),$(eval $(call tsan_rule,$(t))))
endif

.PHONY: tsan
tsan: $(TSAN:%=$(B)/tsan/%) ## run the tests with real threads (ThreadSanitizer)
	$(Q)$(PYTHON) tools/unit --dir $(B)/tsan --result $(B)/tsan.result $(TSAN)

.PHONY: unit unit-build
unit-build: $(UNIT:%=$(U)/%)
# A test that does not compile counts as failed, also where there is one of before; the others still run.
UNIT_ASKED = $(or $(T:%=$(U)/test_%),$(UNIT:%=$(U)/%))
unit: deps-build deps-test ## run the host unit tests (ASan, UBSan); T=name runs one
	-$(Q)$(MAKE) -k $(UNIT_ASKED) || for t in $(UNIT_ASKED); do $(MAKE) -sq $$t || rm -f $$t; done
	$(Q)$(PYTHON) tools/unit --dir $(U) --result $(B)/unit.result $(or $(T:%=test_%),$(UNIT))

# The system tests boot whole machines; K=word runs those whose name has the word in it.
.PHONY: system system-build test
SYSTEM_NEEDS = $(B)/imagecheck $(B)/caisson.elf $(EFI_O)/caisson.stripped $(B)/caisson.efi $(GUEST_ELF) $(B)/debian/vmlinuz $(B)/initrd.img \
               $(B)/debian/grub-i386-xen_pvh.bin $(B)/debian/initrd-686.img $(B)/debian/dom0/vmlinux $(B)/debian/control.img \
               $(B)/debian/control-debian.img $(B)/debian/guest.img $(B)/debian/xen.gz release
system-build: $(SYSTEM_NEEDS)
system: $(SYSTEM_NEEDS) | deps-test deps-iso deps-qemu deps-bochs ## boot whole machines in emulators and look at them; K=word chooses; MACHINES=bochs|qemu|all and SHAPES=all: docs/testing.md
	$(Q)MACHINES='$(MACHINES)' $(PYTHON) tools/system --result $(B)/system.result $(if $(K),-k '$(K)')

# All of it is built first, so that no CPU has nothing to do while another waits for the network. Each part
# builds what has failed once more, and counts it.
AT_ONCE = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
test: ## unit + fuzz + system; ends with the total
	$(Q)rm -f $(B)/unit.result $(B)/fuzz.result $(B)/system.result
	-$(Q)tools/deps $(filter-out lint,$(DEPS))
	-$(Q)$(MAKE) -k $(AT_ONCE) unit-build fuzz-build system-build
	-$(Q)$(MAKE) unit
	-$(Q)$(MAKE) fuzz
	-$(Q)$(MAKE) system
	$(Q)$(PYTHON) tools/total $(B)/unit.result $(B)/fuzz.result $(B)/system.result

# Harnesses name what they link as unit tests do. SECS is the time for each, FUZZ_JOBS of them at once.
FUZZ      := $(sort $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
SECS      ?= 30
F         := $(B)/fuzz
FUZZ_FLAGS = -std=gnu11 -g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
             -fno-sanitize-recover=all -Wall -Wextra -Werror -Itests/fakes -I.
define fuzz_rule
$(F)/$(1): $$(patsubst %.c,$(F)/obj/%.o,tests/fuzz/$(1).c $$(call links_of,tests/fuzz/$(1).c))
	$$(call say,FUZZER,$$@)
	$$(Q)clang $$(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^ $$(call libs_of,tests/fuzz/$(1).c)
endef
ifneq ($(filter fuzz fuzz-build $(F)/%,$(MAKECMDGOALS)),)
$(foreach t,$(FUZZ),$(eval $(call fuzz_rule,$(t))))
-include $(shell find $(F)/obj -name '*.d' 2>/dev/null)
endif

$(F)/obj/%.o: %.c Makefile | deps-test deps-fuzz
	$(call say,'CC fuzz',$<)
	@mkdir -p $(@D)
	$(Q)clang $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

.PHONY: fuzz fuzz-build fuzz-syntax torture coverage coverage-build
fuzz-build: $(FUZZ:%=$(F)/%)
# For lint: would they compile?
fuzz-syntax:
	$(Q)printf '%s\n' $(sort $(foreach t,$(FUZZ),tests/fuzz/$(t).c $(call links_of,tests/fuzz/$(t).c))) \
	    | xargs -P 2 -n 12 clang $(FUZZ_FLAGS) -fsyntax-only
fuzz: deps-test deps-fuzz ## fuzz what reads foreign bytes, each harness for SECS=30 seconds (libFuzzer); T=name runs one
	-$(Q)$(MAKE) -k $(or $(T:%=$(F)/fuzz_%),fuzz-build)
	$(Q)$(PYTHON) tools/fuzz --dir $(F) --secs $(SECS) --result $(B)/fuzz.result $(or $(T:%=fuzz_%),$(FUZZ))

torture: $(SYSTEM_NEEDS) | deps-test deps-fuzz deps-iso deps-qemu deps-bochs ## look for faults by chance with fresh seeds, for SECS=3600 seconds (SEED=n repeats one, K=word chooses parts)
	$(Q)$(MAKE) fuzz-build
	$(Q)$(MAKE) $(U)/test_storm $(U)/test_arguments $(U)/test_race $(U)/test_emulate_native
	$(Q)$(MAKE) $(B)/tsan/test_threads
	$(Q)$(PYTHON) tools/torture --secs $(if $(call is_given,SECS),$(SECS),3600) $(SEED:%=--seed %) $(if $(K),--only '$(K)')

# The same kernel with a counter at each branch, in one row of .bss; tools/coverage reads them out of
# the machines. The level is one for all, as what is inlined away has no lines. Nothing is bounded
# there: the counters take longer than what they count.
COV        := $(B)/cov
COV_FLAGS  := -fprofile-arcs -ftest-coverage -fprofile-info-section -fprofile-update=atomic
COV_MAKE    = $(MAKE) B=$(COV) LEFT_OUT_TOO=arch/x86/bound.c SPEED=-O1 SIZE=-O1 ROOMS='$(ROOMS) tests/coverage' LAYOUT=$(COV)/linker.ld \
              EXTRA_CFLAGS='$(COV_FLAGS)' EXTRA_LDFLAGS='-Wl,--wrap=host_power_off -Wl,--wrap=host_reboot \
              -Wl,--defsym=__gcov_merge_add=0'
$(COV)/linker.ld: linker.ld
	@mkdir -p $(@D)
	$(Q)sed -e 's/\*(\.bss \.bss\.\*)/counters_start = .; KEEP(*(.bss.__gcov0.*)) counters_end = .; &/' \
	    -e 's/\*(\.data \.data\.\*)/& . = ALIGN(8); infos_start = .; KEEP(*(.gcov_info)) infos_end = .;/' $< > $@

# The system tests find in it what they find in build/, but for the release build: that one has no
# counters, and what is at their place in it would be taken for them.
COV_NEEDS = $(filter-out $(B)/caisson.elf release,$(SYSTEM_NEEDS))
coverage-build: $(COV)/linker.ld $(COV_NEEDS)
	$(Q)for f in $(sort $(foreach f,$(COV_NEEDS:$(B)/%=%),$(firstword $(subst /, ,$(f))))); do ln -sfn ../$$f $(COV)/$$f; done
	$(Q)+$(COV_MAKE) $(COV)/caisson.elf

# K=word: only those system tests. Benches are of release builds, which have no counters. The limits of time
# are for those, too: a failed test counts all the same.
coverage: coverage-build deps-test deps-lint deps-iso deps-qemu deps-bochs ## lines that host and system tests reach, in one report with thresholds (gcovr); K=word chooses system tests
	$(Q)rm -rf $(COV)/test-logs; find $(COV) $(B)/coverage -name '*.gcda' -delete 2>/dev/null || true
	-$(Q)$(MAKE) unit U=$(B)/coverage UNIT_EXTRA=--coverage
	-$(Q)B=$(COV) COUNTERS=$$(tools/coverage where $(COV)/caisson.elf) \
	    $(PYTHON) tools/system --result $(COV)/system.result $(if $(K),-k '$(K)',--ignore=tests/system/test_bench.py)
	$(Q)$(PYTHON) tools/coverage report --elf $(COV)/caisson.elf --logs $(COV)/test-logs --host $(B)/coverage --system $(COV)

# ---- Measuring ----------------------------------------------------------------------------------

# What is measured is a release build, whatever this one is.
R := $(B)/rel
.PHONY: release bench bench-check bench-limits bench-boot bench-linux bench-xl bench-scaling profile
release: | deps-build
	$(Q)$(MAKE) -s DEBUG=0 B=$(R) all guests

# A release build whose indirect branches are retpolines.
RETPOLINED = $(B)/retpoline/caisson.elf
$(RETPOLINED): FORCE | deps-build
	$(Q)$(MAKE) -s DEBUG=0 RETPOLINE=1 B=$(@D) $@

BENCH_DEPS = $(if $(filter svm,$(CPU)),deps-qemu,deps-bochs)
BENCH = $(PYTHON) tools/bench $(R)/caisson.elf $(R)/guest $(CPU:%=--cpu %)
bench: release $(if $(filter svm,$(CPU)),,$(RETPOLINED)) | $(BENCH_DEPS) deps-iso ## instructions per VM exit round trip, beside KVM's and Xen's (CPU=model; CPU=svm: AMD-V)
	$(Q)$(BENCH)
	$(Q)$(PYTHON) tools/specprice $(R)/caisson.elf $(R)/guest $(if $(filter svm,$(CPU)),,--retpoline $(RETPOLINED)) $(CPU:%=--cpu %)

bench-check: release | $(BENCH_DEPS) deps-iso ## the same, and fail where one has grown (tests/bench/limits)
	$(Q)$(BENCH) --check

bench-boot: release | deps-bochs deps-iso ## what a boot costs, step by step, and what memory is Caisson's own (LIMITS=--write: the new limits)
	$(Q)$(PYTHON) tools/bootcost $(R)/caisson.elf $(R)/guest/mayfly.elf $(LIMITS)

$(R)/init $(R)/ticks: $(R)/%: tests/bench/%.c | deps-build
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -static -s -Wall -Wextra -Werror -o $@ $<

bench-linux: release $(R)/init $(B)/debian/vmlinuz | deps-bochs deps-iso ## Linux on the bare machine and as hvm and pvh guest, boot and loads (WORDS=apicv=off)
	$(Q)$(PYTHON) tools/linuxbench $(R)/caisson.elf $(B)/debian/vmlinuz $(R)/init $(WORDS)

bench-xl: release $(R)/ticks $(B)/debian/control.img $(B)/debian/guest.img $(B)/debian/guest-vmlinux $(if $(XEN),$(B)/debian/xen.gz) | deps-bochs deps-iso ## what a guest's disk and network, xl create and xl save take (XEN=1: beside Debian's Xen)
	$(Q)$(PYTHON) tools/xlbench $(R)/caisson.elf $(B)/debian $(R)/ticks $(if $(XEN),$(B)/debian/xen.gz)

bench-scaling: release | deps-bochs deps-iso ## what things cost with 1 to 100 domains on 1 to 4 pCPUs: a table, and docs/scaling.svg
	$(Q)$(PYTHON) tools/scaling $(R)/caisson.elf $(R)/guest/crowd.elf docs/scaling.svg

profile: release | deps-bochs deps-iso ## where the instructions of one round trip go (ROW=cpuid, TYPE=hvm|pvh, CPU=model)
	$(Q)$(PYTHON) tools/profile $(R)/caisson.elf $(R)/guest/bench.elf.64 $(ROW) --type $(TYPE) $(CPU:%=--cpu %) \
	    --trace $(R)/trace.txt

bench-limits: release | $(BENCH_DEPS) deps-iso ## measure, and take the result as the new limits
	$(Q)$(BENCH) --write

# ---- Housekeeping -------------------------------------------------------------------------------

.PHONY: lint stats format clean help
lint: deps-lint deps-build deps-test deps-fuzz ## matrix and circles of includes, headers alone, format, tidy, cppcheck, sparse, clang, the fuzzers
	$(Q)B=$(B) tools/lint $(CHECKS)

stats: deps-lint ## the tree's measures: sizes, comments, globals, asserts
	$(Q)$(PYTHON) tools/stats

format: deps-lint ## clang-format every C file in place
	$(Q)clang-format -i $(shell git ls-files '*.c' '*.h')

clean: ## remove everything that was made
	$(Q)rm -rf $(B)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(wildcard Makefile guest/rules.mk)
