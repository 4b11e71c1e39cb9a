from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.session.file import read_session
from dataset.support.errors import InputError
from dataset.windows import Windows, windows_from_sessions
from model import networks
from model.networks.base import masked_mean_square
from model.networks.mia import NOISE, UNKNOWN, MiaConfig, MiaTransformer, augmented
from model.networks.transformer_paper import TransformerPaper
from model.training.loop import embed

Maker = Callable[..., Path]


@pytest.fixture
def windows(make_session: Maker) -> Windows:
    return windows_from_sessions([read_session(make_session())], stride=10)


@pytest.fixture
def windows_2d(make_session: Maker) -> Windows:
    return windows_from_sessions([read_session(make_session("flat", in_3d=False))], stride=10)


def test_the_papers_transformer_has_as_many_parameters_as_its_code(windows: Windows) -> None:
    assert networks.build("transformer-paper", windows).n_parameters() == 2_430_856


def test_the_papers_cnn_has_as_many_parameters_as_its_code(windows: Windows) -> None:
    assert networks.build("cnn-paper", windows).n_parameters() == 284_424


def test_every_network_embeds_each_frame(windows: Windows) -> None:
    for name, width in (("mia", 96), ("cnn-paper", 64), ("transformer-paper", 128)):
        network = networks.build(name, windows)
        assert embed(network, windows).shape == (len(windows), 30, width)


def test_the_projects_network_has_about_412_thousand_parameters() -> None:
    network = MiaTransformer(MiaConfig(n_dims=3, n_channels=8, length=30, subjects=("0", "1", "2", "3")))
    assert 405_000 < network.n_parameters() < 420_000


def test_every_parameter_of_each_network_receives_a_gradient(windows: Windows) -> None:
    for name in networks.NETWORKS:
        network = networks.build(name, windows).train()
        x = torch.from_numpy(network.features(windows))
        subject = torch.from_numpy(network.subject_index(windows.subject.tolist()))
        emg, valid = torch.from_numpy(windows.emg).float(), torch.from_numpy(windows.valid)
        torch.autograd.backward(network.loss(x, subject, emg, valid))
        dead = [key for key, p in network.named_parameters() if p.grad is None]
        assert not dead, name


def test_the_papers_transformer_takes_parts_of_the_picture(windows: Windows) -> None:
    network = TransformerPaper.from_windows(windows)
    assert network.config.source == "image"
    x = network.features(windows)
    assert x.shape == (len(windows), 30, 25, 2)
    assert windows.image_xy is not None
    np.testing.assert_allclose(x, windows.image_xy)


def test_the_papers_transformer_gives_hundreds_of_counts_that_are_never_negative(windows: Windows) -> None:
    torch.manual_seed(0)
    network = TransformerPaper.from_windows(windows).eval()
    x = torch.from_numpy(network.features(windows))
    out = network(x).detach()
    assert out.shape == (len(windows), 30, 8)
    assert float(out.min()) >= 0.0
    torch.testing.assert_close(network.predict(x, torch.zeros(len(x))), out * 100)


def test_where_the_body_stands_does_not_matter(windows: Windows) -> None:
    network = MiaTransformer.from_windows(windows).eval()
    x = network.features(windows)
    windows.keypoints[:] += np.array([3.0, -1.0, 2.0], dtype=np.float32)
    np.testing.assert_allclose(network.features(windows), x, atol=1e-5)


def test_how_large_the_body_is_in_the_picture_does_not_matter(windows_2d: Windows) -> None:
    network = MiaTransformer.from_windows(windows_2d).eval()
    x = network.features(windows_2d)
    windows_2d.keypoints[:] *= 1.7
    np.testing.assert_allclose(network.features(windows_2d), x, atol=1e-4)


def test_missing_joints_are_taken_as_the_mean_and_give_numbers(windows: Windows) -> None:
    network = MiaTransformer.from_windows(windows).eval()
    windows.keypoints[:, :, 4] = np.nan
    x = torch.from_numpy(network.features(windows))
    assert torch.isfinite(network.predict(x, torch.zeros(len(x), dtype=torch.int64))).all()


def test_a_person_not_seen_in_training_is_unknown(windows: Windows) -> None:
    network = MiaTransformer.from_windows(windows)
    assert network.subject_index(["S01", "somebody"]).tolist() == [1, UNKNOWN]


def test_normalisation_ignores_what_was_not_measured(windows: Windows) -> None:
    windows.emg[:, :10] = np.nan
    network = MiaTransformer.from_windows(windows)
    np.testing.assert_allclose(network.y_mean[1], np.nanmean(windows.emg, axis=(0, 1)), rtol=1e-5)
    windows.emg[..., 3] = np.nan
    assert torch.isfinite(MiaTransformer.from_windows(windows).y_sd).all()


def test_augmentation_keeps_what_gravity_sees() -> None:
    torch.manual_seed(1)
    x = torch.randn(50, 30, 25, 3)
    y = augmented(x, noise_sd=0.0)
    length = y.norm(dim=-1) / x.norm(dim=-1)
    torch.testing.assert_close(length, length[:, :1, :1].expand_as(length), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(y[..., 1], x[..., 1] * length[:, :1, :1], rtol=1e-4, atol=1e-5)
    assert float(length.std()) > 0.01


@pytest.mark.parametrize("n_dims", [2, 3])
def test_augmentation_shakes_joints_by_about_the_networks_own_jitter(n_dims: int) -> None:
    torch.manual_seed(1)
    y = augmented(torch.zeros(50, 30, 25, n_dims), noise_sd=NOISE[n_dims])
    assert 0.01 < float(y.std()) < 0.08


def test_the_loss_counts_valid_values_alone() -> None:
    error = torch.tensor([[3.0, torch.nan], [1.0, 100.0]])
    valid = torch.tensor([[True, False], [True, False]])
    assert float(masked_mean_square(error, valid)) == pytest.approx(5.0)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(InputError, match="transformer-paper"):
        networks.check_name("cnn")


def test_windows_of_another_kind_are_refused(windows: Windows, windows_2d: Windows) -> None:
    for trained, given in ((windows, windows_2d), (windows_2d, windows)):
        with pytest.raises(InputError):
            MiaTransformer.from_windows(trained).features(given)
