"""Words of the page in both languages. What stands here is what the page knows; other names are shown as they are."""

from __future__ import annotations

from typing import NamedTuple


class Label(NamedTuple):
    """The same thing said in English and in Chinese."""

    en: str
    zh: str


SPLITS = {
    "tasks": Label("Unseen", "未见样本"),
    "held_out": Label("Held out", "留出组合"),
}

TASKS = {
    "caption": Label("Captioning", "看图说话"),
    "vqa": Label("Question answering", "视觉问答"),
    "retrieve": Label("Retrieval", "图文检索"),
    "classify": Label("Classification", "图像分类"),
    "foils": Label("Telling foils", "近似错句辨别"),
    "match": Label("Matching", "图文匹配"),
    "tag": Label("Tags", "标签"),
    "ask": Label("Tasks told by the prompt", "由提示语区分的任务"),
    "causal_lm": Label("Reading on", "文本续写"),
    "masked_lm": Label("Hidden words", "掩码填空"),
    "fast_binding": Label("New words for pictures", "图片新词绑定"),
    "few_shot_vqa": Label("Questions from examples", "少样本视觉问答"),
    "detect": Label("Detection", "目标检测"),
    "draw": Label("Drawing", "文生图"),
    "video": Label("Video", "视频理解"),
    "verify": Label("Verification", "相同性验证"),
    "recommend": Label("Recommendation", "推荐"),
}

FLOORS = {
    "floor": Label("floor", "基线"),
    "chance": Label("chance", "随机猜测"),
    "majority": Label("majority", "多数类"),
    "median": Label("median", "中位数"),
    "mean": Label("mean", "平均数"),
    "lead": Label("first sentence", "首句"),
    "unigram": Label("frequency alone", "只凭频率"),
    "question_only": Label("question only", "只看问题"),
    "blind": Label("blind image", "遮住图片"),
}

TALLIES = {
    "vqa_by_kind": Label("Answers by kind of question", "按问题类型统计的回答"),
    "caption_by_attribute": Label("Captions by attribute", "按属性统计的描述"),
    "caption_by_objects": Label("Captions by number of objects", "按物体数量统计的描述"),
    "tag_by_name": Label("Tags one by one", "逐个标签的统计"),
    "fast_binding": Label("New words by number of words and pictures", "按词数和图数统计的新词绑定"),
    "caption_by_language": Label("Captions by language", "按语言统计的描述"),
    "vqa_by_language": Label("Answers by language", "按语言统计的回答"),
    "retrieve_by_language": Label("Retrieval by language", "按语言统计的检索"),
    "foils_by_language": Label("Telling foils by language", "按语言统计的近似错句辨别"),
    "classify_by_language": Label("Classification by language", "按语言统计的分类"),
}

KINDS = {
    "existence": Label("existence", "存在"),
    "count": Label("count", "计数"),
    "number": Label("number", "数量"),
    "colour": Label("colour", "颜色"),
    "color": Label("colour", "颜色"),
    "shape": Label("shape", "形状"),
    "size": Label("size", "大小"),
    "texture": Label("texture", "纹理"),
    "order": Label("order", "顺序"),
    "wording": Label("wording", "措辞"),
    "comparison": Label("comparison", "比较"),
    "relation": Label("spatial relation", "空间关系"),
    "position": Label("position", "位置"),
    "sentiment": Label("mood", "情绪"),
    "summary": Label("summary", "摘要"),
    "illustrated": Label("summary with its picture", "配图摘要"),
    "yes-no": Label("yes or no", "是非"),
    "towers": Label("towers", "积木塔"),
    "items": Label("scattered things", "散放的物体"),
    "other": Label("other", "其他"),
    "en": Label("English", "英文"),
    "zh": Label("Chinese", "中文"),
}

CURVES = {
    "loss": Label("Total loss", "总损失"),
    "contrastive": Label("Contrastive", "图文对比"),
    "sigmoid": Label("Sigmoid pairs", "成对 Sigmoid"),
    "matching": Label("Matching", "图文匹配"),
    "foils": Label("Foils", "近似错句"),
    "grounding": Label("Grounding", "短语定位"),
    "answering": Label("Answering", "回答问题"),
    "two_view": Label("Two views", "两视图对比"),
    "multilabel": Label("Tags", "多标签分类"),
    "captioning": Label("Captioning", "看图说话"),
    "caption": Label("Captioning", "看图说话"),
    "vqa": Label("Question answering", "视觉问答"),
    "classification": Label("Classification", "分类"),
    "masked_lm": Label("Masked words", "掩码语言模型"),
    "pair_association": Label("Pair association", "成对关联"),
    "joint": Label("Joint", "联合"),
    "learning_rate": Label("Learning rate", "学习率"),
    "samples_per_second": Label("Pairs a second", "每秒图文对"),
    "waiting": Label("Waiting for data", "等待数据"),
    "gradient_norm": Label("Gradient norm", "梯度范数"),
}


MACHINE = {
    "processor": Label("Processor", "处理器"),
    "cores": Label("Cores", "核心数"),
    "memory": Label("Memory", "内存"),
    "accelerator": Label("Accelerator", "加速器"),
    "system": Label("System", "系统"),
    "python": Label("Python", "Python"),
    "torch": Label("PyTorch", "PyTorch"),
    "tuwen": Label("Tuwen", "Tuwen"),
    "precision": Label("Precision", "精度"),
    "compiled": Label("Compiled", "编译"),
}


def label(table: dict[str, Label], name: str) -> Label:
    """What a table says for a name; the name itself, in words, where it says nothing."""
    words = name.replace("_", " ")
    return table.get(name, Label(words, words))
