#include "textflag.h"

// func Fetch(address uintptr)
TEXT ·Fetch(SB), NOSPLIT, $0-8
	MOVQ address+0(FP), AX
	PREFETCHT0 (AX)
	RET
