"""The small world that the model knows by heart: the village of Alderbrook."""

VILLAGE = "Alderbrook"


class Person:
    def __init__(self, name, she, job, home, pet, pet_name, food, friend, age):
        self.name, self.she, self.job, self.home = name, she, job, home
        self.pet, self.pet_name, self.food, self.friend, self.age = pet, pet_name, food, friend, age

    @property
    def subject(self):
        return "she" if self.she else "he"

    @property
    def possessive(self):
        return "her" if self.she else "his"


PEOPLE = {person.name: person for person in [
    Person("Anna", True, "baker", "the mill house", "cat", "Pepper", "plum cake", "Tom", 34),
    Person("Tom", False, "teacher", "the school house", "dog", "Rusty", "onion soup", "Anna", 41),
    Person("Clara", True, "doctor", "the white house", "parrot", "Kiki", "rice pudding", "George", 52),
    Person("George", False, "farmer", "the hill farm", "horse", "Star", "apple pie", "Clara", 60),
    Person("Lucy", True, "painter", "the lighthouse", "owl", "Moon", "cherry jam", "Oscar", 27),
    Person("Oscar", False, "fisher", "the boat house", "duck", "Puddle", "fish stew", "Lucy", 30),
    Person("Emma", True, "gardener", "the green cottage", "rabbit", "Clover", "carrot cake", "Peter", 38),
    Person("Peter", False, "smith", "the old forge", "goat", "Bella", "roast potatoes", "Emma", 45),
    Person("Rose", True, "singer", "the red cottage", "frog", "Bubble", "honey bread", "Walter", 23),
    Person("Walter", False, "miller", "the windmill", "donkey", "Barley", "oat porridge", "Rose", 66),
    Person("Nora", True, "writer", "the tower", "mouse", "Crumb", "cheese toast", "Henry", 58),
    Person("Henry", False, "carpenter", "the barn", "pig", "Truffle", "bean salad", "Nora", 49),
]}


class Place:
    def __init__(self, name, where, known_for, keeper):
        self.name, self.where, self.known_for, self.keeper = name, where, known_for, keeper


PLACES = {place.name: place for place in [
    Place("the bakery", "on the market square", "its warm bread", "Anna"),
    Place("the school", "beside the church", "its big bell", "Tom"),
    Place("the clinic", "on Linden Street", "its quiet garden", "Clara"),
    Place("the orchard", "behind the hill farm", "its sweet apples", "George"),
    Place("the gallery", "near the harbor", "its blue pictures", "Lucy"),
    Place("the harbor", "at the end of Fish Lane", "its small boats", "Oscar"),
    Place("the park", "in the middle of the village", "its old oak", "Emma"),
    Place("the forge", "by the bridge", "its loud hammer", "Peter"),
    Place("the theater", "across from the inn", "its red curtain", "Rose"),
    Place("the library", "next to the town hall", "its tall shelves", "Nora"),
]}

THINGS = {
    "the golden bell": "It hangs in the school tower.",
    "the silver spoon": "It lies in Anna's kitchen.",
    "the blue lantern": "It stands in the lighthouse.",
    "the wooden ship": "It is in the library, on the tallest shelf.",
    "the iron key": "It hangs on a nail in the forge.",
    "the old map": "It is kept in the tower, in Nora's desk.",
    "the glass flute": "It is in the theater, behind the red curtain.",
    "the stone lion": "It sits by the bridge.",
}
