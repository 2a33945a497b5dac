# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The face of the harness: each target is one call of its command line, which has --help and the
# same words. Variables (BASE, ARCH, CONFIG, ACCEL, TEST, STRESS, CPUS, KERNEL, JSON, TREE, OUT, QUICK,
# BOOT, CELL, SINCE, RUNS, ALONE, SUITE) reach it through the environment, where make puts what was set
# on its command line.

TASKS := boot-test tree-tests compare bench test apply tree refresh check-series export review shell demo \
	setup doctor setup-test nightly report matrix snapshots-changed cache-key help

# the harness calls other makes, the kernel's among them: our flags are none of their business
unexport MAKEFLAGS MFLAGS MAKELEVEL

# the first build takes a minute and shows what it does; later ones have nothing to say
QUIET := $(if $(wildcard harness/target/release/bpf-streams),--quiet)

.DEFAULT_GOAL := help
.PHONY: $(TASKS)
$(TASKS):
	@harness/check-paths.sh
	@harness/ensure-linker.sh
	@cargo run $(QUIET) --release --locked --manifest-path harness/Cargo.toml \
		-p bpf-streams-host -- $@
