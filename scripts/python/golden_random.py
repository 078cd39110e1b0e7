"""Prints the CRC-32 of PyTorch's random numbers, for native/engine/test/random_test.cc.

    python scripts/python/golden_random.py

The bits of `randn` for 16 numbers and more are those of processors with AVX2.
"""

import zlib

import torch


def crc(tensor: torch.Tensor) -> str:
    return f"0x{zlib.crc32(tensor.contiguous().numpy().tobytes()):08x}"


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    print("randn of 10^6:", crc(torch.randn(1_000_000)))
    for length in (1, 8, 12, 13, 15, 16, 19, 64, 100):
        torch.manual_seed(7)
        rows = [torch.randn(length) for _ in range(1_000_000 // length)]
        print(f"randn of {length}, {len(rows)} times:", crc(torch.cat(rows)))
    torch.manual_seed(2**33 + 5)
    print("rand, complex:", crc(torch.view_as_real(torch.rand(500_000, dtype=torch.complex64))))
    for bound in (2**31 - 1, 10):
        torch.manual_seed(3)
        print(f"randint({bound}):", crc(torch.randint(0, bound, (1_000_000,)).to(torch.int32)))
    torch.manual_seed(5)
    weights = torch.rand(37)
    weights[[0, 3, 6, 9, 12]] = 0
    torch.manual_seed(9)
    drawn = [torch.multinomial(weights, 1) for _ in range(27_027)]
    print("multinomial:", crc(torch.cat(drawn).to(torch.int32)))
    torch.manual_seed(11)
    print("randn of 3, 64 and 4:", crc(torch.cat([torch.randn(n) for n in (3, 64, 4)])))


if __name__ == "__main__":
    main()
