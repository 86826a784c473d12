import threading

import numpy as np
import torch

from wavemill.loader.buffers import Buffers

KEPT = 4
LARGE = (1 << 18,)


def test_memory_is_used_again_once_it_is_free() -> None:
    buffers = Buffers(KEPT)
    array = buffers.empty(LARGE, np.int64)
    place = array.ctypes.data
    del array
    assert buffers.empty(LARGE, np.int64).ctypes.data == place
    assert buffers.empty((1 << 17, 2), np.int32).ctypes.data == place


def test_memory_that_anything_refers_to_is_left_alone() -> None:
    buffers = Buffers(KEPT)
    held = []
    for number in range(3 * KEPT):
        array = buffers.empty(LARGE, np.int64)
        array[:] = number
        tensor = torch.from_numpy(array)
        # A view is all that is kept, of an array or of a tensor.
        held.append(tensor[10:20].unsqueeze(0) if number % 2 else tensor)
        del array, tensor
    for number, tensor in enumerate(held):
        assert (tensor == number).all()


def test_larger_batches_take_the_place_of_smaller_buffers() -> None:
    buffers = Buffers(KEPT)
    for size in range(1, 30):
        array = buffers.empty((size << 17,), np.int64)
        assert array.shape == (size << 17,)
    assert len(buffers._kept) <= KEPT


def test_threads_do_not_share_memory() -> None:
    buffers = Buffers(KEPT)
    places = set()

    def take() -> None:
        array = buffers.empty(LARGE, np.int64)
        places.add(array.ctypes.data)
        barrier.wait()

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(places) == 2
