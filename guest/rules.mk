# Guests: each folder below guest/ but lib/ is one, linked with the tiny library in guest/lib into
# build/guest/NAME.elf. Compiled as 64-bit code, wrapped as ELF32: what Multiboot loaders take.

GUESTS     := $(filter-out lib,$(patsubst guest/%/main.c,%,$(wildcard guest/*/main.c)))
GUEST_LIB  := $(patsubst %.c,$(O)/%.o,$(wildcard guest/lib/*.c)) $(patsubst %.asm,$(O)/%.asm.o,$(wildcard guest/lib/*.asm))
GUEST_ELF  := $(GUESTS:%=$(B)/guest/%.elf)
GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
                -fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing $(WARN) -I.

.PHONY: guests
guests: $(GUEST_ELF) ## build the guests of guest/ into build/guest/

$(O)/guest/%.o: guest/%.c $(B)/flags guest/rules.mk
	$(call say,'CC guest',$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

define guest_rule
$(B)/guest/$(1).elf: $(patsubst %.c,$(O)/%.o,$(wildcard guest/$(1)/*.c)) \
                     $(patsubst %.asm,$(O)/%.asm.o,$(wildcard guest/$(1)/*.asm)) $(GUEST_LIB)
endef
$(foreach g,$(GUESTS),$(eval $(call guest_rule,$(g))))

$(GUEST_ELF): guest/lib/guest.lds
	$(call say,'LD guest',$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	    -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -T guest/lib/guest.lds -o $@.64 $(filter %.o,$^)
	$(Q)objcopy -O elf32-i386 $@.64 $@

-include $(wildcard $(O)/guest/*/*.d)
