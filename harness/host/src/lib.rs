// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The host side of the harness.
