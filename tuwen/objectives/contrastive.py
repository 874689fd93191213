"""Pictures and texts that belong together are close, all others far (Radford et al. 2021, arXiv:2103.00020, fig. 3).

A picture may have several texts, and two pictures the same text: each text with the ids of one of a picture's texts is
right for that picture, and the picture's loss is the mean over its right texts (Khosla et al. 2020, SupCon,
arXiv:2004.11362, eq. 2).

Neither the matrix of the logits nor that of the right pairs is ever made: memory grows with R + P.
"""

from __future__ import annotations

import torch

from tuwen.core.loss import Loss
from tuwen.models.forward import Forward
from tuwen.objectives import ObjectiveContext
from tuwen.objectives._pairs import Pairs, PairsConfig, PairsTerm
from tuwen.objectives._tiles import log_sum_exps


class Config(PairsConfig):
    """stream: the texts."""


class Contrastive(PairsTerm):
    """The mean of both directions, summed over the text rows.

    For a text, `log Σ_p exp(logit) - mean over right p of logit`; for a picture alike. The second terms are sums over
    right pairs, so they are taken text by text: `logit = scale · text · picture` is linear in the picture.
    """

    def loss(self, forward: Forward, pairs: Pairs) -> Loss:
        over_images, over_texts, nearest = log_sum_exps(pairs.texts, pairs.images, forward.scale)
        over_texts = pairs.over_all_texts(over_texts)[pairs.own]
        right_texts = pairs.texts_of_picture
        asked = right_texts > 0
        text, picture = pairs.right
        of_text = pairs.to_right_pictures(1 / pairs.pictures_of_text[text])
        of_picture = pairs.to_right_pictures(1 / right_texts[picture])
        text_to_image = over_images.sum() - forward.scale * of_text.sum()
        image_to_text = over_texts[asked[pairs.own]].sum() - forward.scale * of_picture.sum()
        texts_a_picture = pairs.copies.sum() / asked.sum().to(pairs.images.dtype)
        count = torch.tensor(float(len(pairs.texts)), device=over_images.device)
        parts = {"recall_at_1": pairs.is_right(nearest).float().mean()} if len(pairs.texts) else {}
        total = (text_to_image + texts_a_picture * image_to_text) / 2
        return Loss(total, count, {**parts, "scale": forward.scale.detach()})


def build(config: Config, context: ObjectiveContext) -> Contrastive:
    return Contrastive(config)
