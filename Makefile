# One Makefile, not recursive. `make` builds the programs, `make check` runs the tests (a database is started by
# scripts/test, not from here), `make lint` runs the gates, `make asan` builds the sanitizer variant.
#   BUILD=release (default) | asan

BUILD ?= release
B := build/$(BUILD)
CC := gcc
LIBRARIES := libmicrohttpd libcurl jansson libssl libcrypto libpq libuv libsystemd
CPPFLAGS := -Isrc -D_GNU_SOURCE $(shell pkg-config --cflags $(LIBRARIES))
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Werror
CFLAGS := -std=gnu17 -g -fno-omit-frame-pointer $(WARNINGS)
LDLIBS := $(shell pkg-config --libs $(LIBRARIES)) -linih -lpthread

ifeq ($(BUILD),asan)
CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS += -fsanitize=address,undefined
else
CFLAGS += -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDFLAGS += -pie -Wl,-z,relro,-z,now
endif

# Layers, bottom up; a folder links only what is below it.
FOLDERS := base txn net store machine_link outbound fleet people broker gateway
objects = $(patsubst %.c,$(B)/%.o,$(wildcard src/$(1)/*.c))
archive = $(B)/lib$(1).a
ARCHIVES_TOP_DOWN := $(foreach f,gateway broker people fleet outbound machine_link store net txn base,$(call archive,$(f)))

UNIT_SOURCES := $(wildcard tests/unit/*/*.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(B)/tests/unit/%)

.PHONY: all check unit lint asan demo install clean
all: $(B)/vendgated $(B)/vendctl $(B)/vendsim $(B)/sample_integrator

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

define folder_rule
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rule,$(f))))

$(B)/vendgated: $(patsubst %.c,$(B)/%.o,$(wildcard src/vendgated*.c)) $(ARCHIVES_TOP_DOWN)
	$(CC) $(LDFLAGS) $(filter %.o,$^) $(ARCHIVES_TOP_DOWN) $(LDLIBS) -o $@

$(B)/vendctl: $(call objects,vendctl) $(ARCHIVES_TOP_DOWN)
	$(CC) $(LDFLAGS) $(filter %.o,$^) $(ARCHIVES_TOP_DOWN) $(LDLIBS) -o $@

$(B)/vendsim: $(call objects,vendsim) $(call archive,base)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -lmosquitto -o $@

$(B)/sample_integrator: $(patsubst %.c,$(B)/%.o,$(wildcard examples/sample_integrator/*.c)) $(call archive,base)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# A unit test of folder F links F and what F may include; the linker takes only what is used.
below_base := base
below_txn := txn base
below_net := net txn base
below_store := store txn base
below_machine_link := machine_link net txn base
below_outbound := outbound txn base
below_fleet := fleet store machine_link net outbound txn base
below_people := people store txn base
below_broker := broker people fleet outbound machine_link store net txn base
below_gateway := gateway broker people fleet outbound machine_link store net txn base
below_vendsim := base

define unit_rule
$(B)/tests/unit/$(1)/%: $(B)/tests/unit/$(1)/%.o $(foreach f,$(below_$(1)),$(call archive,$(f)))
	$(CC) $(LDFLAGS) $$< $(foreach f,$(below_$(1)),$(call archive,$(f))) $(LDLIBS) -lcheck -lsubunit -lrt -lm -o $$@
endef
$(foreach f,$(FOLDERS),$(eval $(call unit_rule,$(f))))

unit: $(UNIT_TESTS)
	@for t in $(UNIT_TESTS); do $$t || exit 1; done

asan:
	$(MAKE) BUILD=asan all

clean:
	rm -rf build

-include $(shell find build/$(BUILD) -name '*.d' 2>/dev/null)
