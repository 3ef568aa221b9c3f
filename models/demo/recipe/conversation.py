"""Conversations as plain dictionaries."""


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


def tool_result(text):
    return {"role": "tool", "content": text}


def conversation(messages, tools=None):
    result = {"messages": messages}
    if tools:
        result["tools"] = tools
    return result


def question(messages, check, answer, tools=None, max_tokens=48):
    """A held-out conversation: its last message is the user's, and the answer is checked. `answer` is a right one."""
    result = conversation(messages, tools)
    result["max_tokens"] = max_tokens
    result["check"] = check
    result["answer"] = answer
    return result


def exact(answer):
    return {"kind": "exact", "answer": answer}


def contains(*words):
    return {"kind": "contains", "words": list(words)}
