import pytest
import torch

from stylegan2_ada.networks.mapping import truncate


def test_interpolates_toward_the_centre_up_to_the_cutoff():
    """center + psi * (w - center): 2 + 0.25 * (6 - 2) = 3 for two layers, then 6."""
    ws = torch.full([1, 4, 1], 6.0)
    out = truncate(ws, torch.tensor([2.0]), psi=0.25, cutoff=2)
    assert out[0, :, 0].tolist() == [3.0, 3.0, 6.0, 6.0]
    assert torch.equal(truncate(ws, torch.tensor([2.0]), psi=1.0), ws)


@pytest.mark.parametrize(("psi", "cutoff"), [(-0.1, None), (1.1, None), (0.5, 5), (0.5, -1)])
def test_out_of_range_is_refused(psi, cutoff):
    name = "psi" if cutoff is None else "cutoff"
    with pytest.raises(ValueError, match=f"{name}="):
        truncate(torch.zeros(1, 4, 1), torch.zeros(1), psi=psi, cutoff=cutoff)
