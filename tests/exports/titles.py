"""Invented titles in the grammar of Netflix, each with what it truly names.

One household of every language watched all of this.  No series, film or episode here exists;
the forms are those of real exports.  Labels say what a title *is*, not what `parse_titles`
makes of it: where the grammar can't know (films with two colons, chapters that are episodes,
ordinals in words, a language without a table) the label is still the truth.

A line is ``title | series | season | season name | episode | episode name``, with ``-`` for
what the title doesn't say, or ``title | film``.
"""

import unicodedata
from typing import NamedTuple

__all__ = ["ACTIVITY", "COLUMNS", "SIMPLE", "Labelled"]

COLUMNS = ["series", "season", "season_name", "episode", "episode_name", "kind"]


class Labelled(NamedTuple):
    language: str
    title: str
    series: str | None
    season: int | None
    season_name: str | None
    episode: int | None
    episode_name: str | None
    kind: str


# ViewingActivity: episodes usually end in their number.
_ACTIVITY = {
    "en": """
        Night Desk: Season 1: Ink (Episode 1) | Night Desk | 1 | Season 1 | 1 | Ink
        Night Desk: Season 12: Paper Cuts (Episode 10) | Night Desk | 12 | Season 12 | 10 | Paper Cuts
        Night Desk: Season 2: Episode 4 | Night Desk | 2 | Season 2 | 4 | Episode 4
        Night Desk: Season 2: Episode 5 (Episode 5) | Night Desk | 2 | Season 2 | 5 | Episode 5
        Night Desk: Season 5B: Proofs (Episode 11) | Night Desk | 5 | Season 5B | 11 | Proofs
        Night\u200b Desk: Season 3:  The Strike\ufeff | Night Desk | 3 | Season 3 | - | The Strike
        The Ferrymen: Series 2: Slack Water (Episode 3) | The Ferrymen | 2 | Series 2 | 3 | Slack Water
        Glasshouse: Limited Series: Heat (Episode 2) | Glasshouse | - | Limited Series | 2 | Heat
        The Orchard Job: Part 1: Chapter 5: Roots (Episode 5) | The Orchard Job | 1 | Part 1 | 5 | Chapter 5: Roots
        The Orchard Job: Part 2: Part 1 (Episode 6) | The Orchard Job | 2 | Part 2 | 6 | Part 1
        Hollow Tide: Season 1: Chapter Six: The Lamp (Episode 6) | Hollow Tide | 1 | Season 1 | 6 | Chapter Six: The Lamp
        Robot Bakers: Volume 1: Rise (Episode 1) | Robot Bakers | 1 | Volume 1 | 1 | Rise
        Robot Bakers: Vol. 2: Proof (Episode 4) | Robot Bakers | 2 | Vol. 2 | 4 | Proof
        Stand-Up Cellar: Collection 3: Ida Moss (Episode 2) | Stand-Up Cellar | 3 | Collection 3 | 2 | Ida Moss
        Saltmarsh: Chapter Two: Reeds (Episode 9) | Saltmarsh | 2 | Chapter Two | 9 | Reeds
        Saltmarsh: Chapter III: Geese (Episode 1) | Saltmarsh | 3 | Chapter III | 1 | Geese
        Legend of the Kite: Book 1: Air: Welcome (Episode 1) | Legend of the Kite | 1 | Book 1 | 1 | Air: Welcome
        Legend of the Kite: Book Two: String: Knots (Episode 3) | Legend of the Kite | 2 | Book Two | 3 | String: Knots
        Army of Owls: Reloaded: Season 2: Perch (Episode 7) | Army of Owls: Reloaded | 2 | Season 2 | 7 | Perch
        Army of Owls: Reloaded: Season 2: Valentine's Day 4: Twisted Feather (Episode 8) | Army of Owls: Reloaded | 2 | Season 2 | 8 | Valentine's Day 4: Twisted Feather
        Army of Owls: Reloaded: The Nest: Cold Open (Episode 1) | Army of Owls: Reloaded | - | The Nest | 1 | Cold Open
        County Choir: Season 1: Psalm 46:5 (Episode 3) | County Choir | 1 | Season 1 | 3 | Psalm 46:5
        County Choir: Season 1: Rehearsal: Part 2 (Episode 5) | County Choir | 1 | Season 1 | 5 | Rehearsal: Part 2
        County Choir: Season 2: Requiem (Part 2) (Episode 4) | County Choir | 2 | Season 2 | 4 | Requiem (Part 2)
        County Choir: Season 2: Encore (Part 1) | County Choir | 2 | Season 2 | - | Encore (Part 1)
        Iron Monk: Iron Monk: Alms (Episode 1) | Iron Monk | - | Iron Monk | 1 | Alms
        Iron Monk: Iron Monk: Begging Bowl (Episode 2) | Iron Monk | - | Iron Monk | 2 | Begging Bowl
        Iron Monk: Iron Monk II: Return (Episode 1) | Iron Monk | 2 | Iron Monk II | 1 | Return
        Under Kettle Hill: Under Kettle Hill 4: Chapter One: The Fair (Episode 1) | Under Kettle Hill | 4 | Under Kettle Hill 4 | 1 | Chapter One: The Fair
        Mara's Odd Quest: Crystal Crusade: Departure (Episode 1) | Mara's Odd Quest | - | Crystal Crusade | 1 | Departure
        Mara's Odd Quest: Crystal Crusade: The Duel: Part 1 (Episode 2) | Mara's Odd Quest | - | Crystal Crusade | 2 | The Duel: Part 1
        Mara's Odd Quest: Crystal Crusade: The Duel: Part 2 (Episode 3) | Mara's Odd Quest | - | Crystal Crusade | 3 | The Duel: Part 2
        Mara's Odd Quest: Wind Harbour: Landfall (Episode 1) | Mara's Odd Quest | - | Wind Harbour | 1 | Landfall
        Mara's Odd Quest: Wind Harbour: A Letter | Mara's Odd Quest | - | Wind Harbour | - | A Letter
        Deep: Blue Line: First Watch: Fog (Episode 1) | Deep: Blue Line | - | First Watch | 1 | Fog
        Deep: Blue Line: First Watch: Rain (Episode 2) | Deep: Blue Line | - | First Watch | 2 | Rain
        Deep: Blue Line: Second Watch: Ice (Episode 1) | Deep: Blue Line | - | Second Watch | 1 | Ice
        Deep: Blue Line: Second Watch: Thaw (Episode 2) | Deep: Blue Line | - | Second Watch | 2 | Thaw
        Toy Court: Season 4, Part 2: Verdict (Episode 9) | Toy Court | 4 | Season 4, Part 2 | 9 | Verdict
        Toy Court: The First Season: Oath (Episode 1) | Toy Court | 1 | The First Season | 1 | Oath
        Halves: Part Two: Season 1: Meet (Episode 1) | Halves: Part Two | 1 | Season 1 | 1 | Meet
        Lake Town: Pilot Film: Long Version | film
        The Red Harbour | film
        1931 | film
        Fog: The Film | film
        Two Brothers: Chapter Two | film
        Recap of a Marriage | film
        Trailer Park Waltz | film
        Saga of Oaks: The Seed: Director's Cut | film
        Saga of Oaks: The Seed: Black and White | film
        The Clerk: Part 1: Ledger | film
    """,
    "pt": """
        Café da Esquina: Temporada 1: O Começo (Episódio 1) | Café da Esquina | 1 | Temporada 1 | 1 | O Começo
        Café da Esquina: Temporada 2: Parte 1: A Fuga (Episódio 3) | Café da Esquina | 2 | Temporada 2 | 3 | Parte 1: A Fuga
        Café da Esquina: 3ª temporada: Novos Ares (Episódio 2) | Café da Esquina | 3 | 3ª temporada | 2 | Novos Ares
        Café da Esquina: Temporada 1: Episódio 7 | Café da Esquina | 1 | Temporada 1 | 7 | Episódio 7
        Sertão Azul: Parte 2: Capítulo oito: Chuva (Episódio 8) | Sertão Azul | 2 | Parte 2 | 8 | Capítulo oito: Chuva
        Sertão Azul: Capítulo dois: Poeira (Episódio 4) | Sertão Azul | 2 | Capítulo dois | 4 | Poeira
        A Ilha dos Ventos: Minissérie: O Farol (Episódio 5) | A Ilha dos Ventos | - | Minissérie | 5 | O Farol
        Riso Solto: Coleção 1: Bia Ramos (Episódio 6) | Riso Solto | 1 | Coleção 1 | 6 | Bia Ramos
        Riso Solto: Volume 3: Zé Lima (Episódio 1) | Riso Solto | 3 | Volume 3 | 1 | Zé Lima
        Trem: Linha Norte: Temporada 4: Descida: Parte 2 (Episódio 12) | Trem: Linha Norte | 4 | Temporada 4 | 12 | Descida: Parte 2
        Guardiões: Guardiões: A Chave (Episódio 1) | Guardiões | - | Guardiões | 1 | A Chave
        Guardiões: A Torre de Sal: Muralha (Episódio 2) | Guardiões | - | A Torre de Sal | 2 | Muralha
        Guardiões: Segunda temporada: Portas (Episódio 2) | Guardiões | 2 | Segunda temporada | 2 | Portas
        O Último Bonde | film
        Maré: A História de Nina | film
        Rio Fundo: Parte 1 | film
        Rua Onze: O Filme: Versão Estendida | film
    """,
    "fr": """
        Le Phare: Saison 1: La Tempête (Épisode 1) | Le Phare | 1 | Saison 1 | 1 | La Tempête
        Le Phare: Saison 2: Chapitre trois : Le gardien (Épisode 3) | Le Phare | 2 | Saison 2 | 3 | Chapitre trois : Le gardien
        Le Phare: Saison 2: Épisode 4 | Le Phare | 2 | Saison 2 | 4 | Épisode 4
        Le Phare: Saison 1 (Canal 4): Dérive (Épisode 2) | Le Phare | 1 | Saison 1 (Canal 4) | 2 | Dérive
        Les Oubliés\u00a0: L'Origine: Saison 3: Le Pacte (Épisode 6) | Les Oubliés : L'Origine | 3 | Saison 3 | 6 | Le Pacte
        Les Oubliés\u202f: L'Origine: Saison 3: Partie 1\u00a0: Le Retour (Épisode 7) | Les Oubliés : L'Origine | 3 | Saison 3 | 7 | Partie 1 : Le Retour
        Casse au musée: 2e partie: La Chambre forte (Épisode 9) | Casse au musée | 2 | 2e partie | 9 | La Chambre forte
        Casse au musée: 1re partie: Le Plan (Épisode 1) | Casse au musée | 1 | 1re partie | 1 | Le Plan
        Casse au musée: Partie 3: Cendres (Épisode 2) | Casse au musée | 3 | Partie 3 | 2 | Cendres
        La Vigne: Mini-série: Vendanges (Épisode 1) | La Vigne | - | Mini-série | 1 | Vendanges
        La Vigne des autres: Livre 1: Le Sol (Épisode 4) | La Vigne des autres | 1 | Livre 1 | 4 | Le Sol
        Nuit blanche: Chapitre 2: Minuit (Épisode 5) | Nuit blanche | 2 | Chapitre 2 | 5 | Minuit
        Sous la colline: Sous la colline 4: Chapitre un\u00a0: La Foire (Épisode 1) | Sous la colline | 4 | Sous la colline 4 | 1 | Chapitre un : La Foire
        Sous la colline: Sous la colline 4: Chapitre deux\u00a0: Le Puits (Épisode 2) | Sous la colline | 4 | Sous la colline 4 | 2 | Chapitre deux : Le Puits
        Renard\u00a0: Saison 1\u00a0: Terrier (Épisode 1) | Renard | 1 | Saison 1 | 1 | Terrier
        Renard: Première partie: Ruse (Épisode 3) | Renard | 1 | Première partie | 3 | Ruse
        Les Marées | film
        Les Marées\u00a0: Le Film | film
        Deux villes\u00a0: Aube: Intégrale | film
        L'Homme au manteau\u00a0: Partie 2\u00a0: L'Hiver | film
    """,
    "es": """
        La Casa del Molino: Temporada 1: El agua (Episodio 1) | La Casa del Molino | 1 | Temporada 1 | 1 | El agua
        La Casa del Molino: Parte 3: Capítulo uno: La rueda (Episodio 1) | La Casa del Molino | 3 | Parte 3 | 1 | Capítulo uno: La rueda
        La Casa del Molino: 2.ª temporada: Harina (Episodio 6) | La Casa del Molino | 2 | 2.ª temporada | 6 | Harina
        Siete Llaves: Temporada 2: Episodio 3 | Siete Llaves | 2 | Temporada 2 | 3 | Episodio 3
        Siete Llaves: Miniserie: El baúl (Episodio 2) | Siete Llaves | - | Miniserie | 2 | El baúl
        Cerro Alto: Capítulo tres: Niebla (Episodio 10) | Cerro Alto | 3 | Capítulo tres | 10 | Niebla
        Norte y sur: Oasis: Temporada 5: La frontera: Parte 2 (Episodio 8) | Norte y sur: Oasis | 5 | Temporada 5 | 8 | La frontera: Parte 2
        Norte y sur: Oasis: Especial (Episodio 9) | Norte y sur: Oasis | - | - | 9 | Especial
        El Faro Mudo: Volumen 2: Señales (Episodio 1) | El Faro Mudo | 2 | Volumen 2 | 1 | Señales
        El Faro Mudo: El Faro Mudo 3: Olas (Episodio 1) | El Faro Mudo | 3 | El Faro Mudo 3 | 1 | Olas
        Toro: Primera temporada: Arena (Episodio 1) | Toro | 1 | Primera temporada | 1 | Arena
        El tren de las seis | film
        Alba: Una historia de invierno | film
        Los primos: Rumbo al sur: La película | film
    """,
    "de": """
        Das Wehr: Staffel 1: Hochwasser (Folge 1) | Das Wehr | 1 | Staffel 1 | 1 | Hochwasser
        Das Wehr: Staffel 2: Kapitel drei: Der Damm (Folge 3) | Das Wehr | 2 | Staffel 2 | 3 | Kapitel drei: Der Damm
        Das Wehr: Staffel 2: Folge 4 | Das Wehr | 2 | Staffel 2 | 4 | Folge 4
        Das Wehr: 3. Staffel: Ebbe (Folge 1) | Das Wehr | 3 | 3. Staffel | 1 | Ebbe
        Nachtzug: Teil 1: Abfahrt (Folge 1) | Nachtzug | 1 | Teil 1 | 1 | Abfahrt
        Nachtzug: Teil zwei: Grenze (Folge 5) | Nachtzug | 2 | Teil zwei | 5 | Grenze
        Die Glaserin: Miniserie: Scherben (Folge 3) | Die Glaserin | - | Miniserie | 3 | Scherben
        Kobold: Das Erbe: Staffel 1: Gold: Teil 1 (Folge 7) | Kobold: Das Erbe | 1 | Staffel 1 | 7 | Gold: Teil 1
        Moorland: Buch II: Torf (Folge 2) | Moorland | 2 | Buch II | 2 | Torf
        Moorland: Kapitel 4: Irrlicht (Folge 8) | Moorland | 4 | Kapitel 4 | 8 | Irrlicht
        Moorland: Weihnachtsspecial: Weihnachtsspecial (Folge 1) | Moorland | - | Weihnachtsspecial | 1 | Weihnachtsspecial
        Hafen: Erste Staffel: Kran (Folge 2) | Hafen | 1 | Erste Staffel | 2 | Kran
        Der stille Kanal | film
        Greta: Ein Sommer | film
        Bergfeuer: Der Ruf: Die Rückkehr | film
    """,
    "it": """
        Vicolo Stretto: Stagione 1: La chiave (Episodio 1) | Vicolo Stretto | 1 | Stagione 1 | 1 | La chiave
        Vicolo Stretto: Stagione 2: Episodio 5 | Vicolo Stretto | 2 | Stagione 2 | 5 | Episodio 5
        Vicolo Stretto: Parte 2: Capitolo sei: Nebbia (Episodio 6) | Vicolo Stretto | 2 | Parte 2 | 6 | Capitolo sei: Nebbia
        Sale: Miniserie: Il porto (Episodio 3) | Sale | - | Miniserie | 3 | Il porto
        Sale e cenere: Capitolo due: Lava (Episodio 4) | Sale e cenere | 2 | Capitolo due | 4 | Lava
        Sale e cenere: Volume III: Tufo (Episodio 1) | Sale e cenere | 3 | Volume III | 1 | Tufo
        Roma: Ultimo Giro: Stagione 3: Curva: Parte 1 (Episodio 9) | Roma: Ultimo Giro | 3 | Stagione 3 | 9 | Curva: Parte 1
        Lupi: Lupi: Tana (Episodio 1) | Lupi | - | Lupi | 1 | Tana
        Lupi: Lupi 2: Branco (Episodio 1) | Lupi | 2 | Lupi 2 | 1 | Branco
        Lupi: Prima stagione: Fame (Episodio 2) | Lupi | 1 | Prima stagione | 2 | Fame
        Il giardino d'estate | film
        Anna: Una vita | film
    """,
    "nl": """
        De Sluis: Seizoen 1: Het peil (Aflevering 1) | De Sluis | 1 | Seizoen 1 | 1 | Het peil
        De Sluis: Seizoen 3: Hoofdstuk twee: Het gemaal (Aflevering 2) | De Sluis | 3 | Seizoen 3 | 2 | Hoofdstuk twee: Het gemaal
        De Sluis: Seizoen 3: Aflevering 4 | De Sluis | 3 | Seizoen 3 | 4 | Aflevering 4
        De Sluis: Kerstspecial: Kerstspecial (Aflevering 1) | De Sluis | - | Kerstspecial | 1 | Kerstspecial
        Polderkoning: Deel 2: De dijk (Aflevering 6) | Polderkoning | 2 | Deel 2 | 6 | De dijk
        Polderkoning: Boek een: Klei (Aflevering 1) | Polderkoning | 1 | Boek een | 1 | Klei
        Mist: Miniserie: Boei (Aflevering 2) | Mist | - | Miniserie | 2 | Boei
        Mist: Het Vervolg: Seizoen 2: Ruis: Deel 1 (Aflevering 7) | Mist: Het Vervolg | 2 | Seizoen 2 | 7 | Ruis: Deel 1
        Beyond the Dunes: Beyond 2: Zand (Aflevering 3) | Beyond the Dunes | 2 | Beyond 2 | 3 | Zand
        De Vuurtoren: Hoofdstuk 3: Licht (Aflevering 9) | De Vuurtoren | 3 | Hoofdstuk 3 | 9 | Licht
        De lange dijk | film
        Sanne: Het verhaal | film
    """,
    "pl": """
        Most nad Rzeką: Sezon 1: Powrót (Odcinek 1) | Most nad Rzeką | 1 | Sezon 1 | 1 | Powrót
        Most nad Rzeką: Sezon 2: Rozdział szósty: Mgła (Odcinek 6) | Most nad Rzeką | 2 | Sezon 2 | 6 | Rozdział szósty: Mgła
        Most nad Rzeką: Sezon 2: Odcinek 3 | Most nad Rzeką | 2 | Sezon 2 | 3 | Odcinek 3
        Most nad Rzeką: Sezon 3: Rozdział 7 | Most nad Rzeką | 3 | Sezon 3 | 7 | Rozdział 7
        Wilcza Góra: Część 1: Trop (Odcinek 2) | Wilcza Góra | 1 | Część 1 | 2 | Trop
        Wilcza Góra: Część druga: Śnieg (Odcinek 5) | Wilcza Góra | 2 | Część druga | 5 | Śnieg
        Wilcza Góra: Księga 1: Woda: Źródło (Odcinek 1) | Wilcza Góra | 1 | Księga 1 | 1 | Woda: Źródło
        Szklany Dom: Miniserial: Pęknięcie (Odcinek 4) | Szklany Dom | - | Miniserial | 4 | Pęknięcie
        Straż: Nowe Czasy: Sezon 4: Alarm: Część 2 (Odcinek 8) | Straż: Nowe Czasy | 4 | Sezon 4 | 8 | Alarm: Część 2
        Straż: Pierwszy sezon: Zmiana (Odcinek 1) | Straż | 1 | Pierwszy sezon | 1 | Zmiana
        Zima w Gdyni | film
        Kowal: Rozdział 2 | film
        Ola: Droga do domu | film
    """,
    "da": """
        Havnen: Sæson 1: Ankomst (Afsnit 1) | Havnen | 1 | Sæson 1 | 1 | Ankomst
        Havnen: Sæson 2: Kapitel to: Tågen (Afsnit 2) | Havnen | 2 | Sæson 2 | 2 | Kapitel to: Tågen
        Havnen: Sæson 2: Afsnit 3 | Havnen | 2 | Sæson 2 | 3 | Afsnit 3
        Havnen: Del 1: Kajen (Afsnit 4) | Havnen | 1 | Del 1 | 4 | Kajen
        Klitten: Del tre: Sand (Afsnit 7) | Klitten | 3 | Del tre | 7 | Sand
        Klitten: Miniserie: Vind (Afsnit 2) | Klitten | - | Miniserie | 2 | Vind
        Fyret: Øens Søn: Sæson 1: Lys: Del 2 (Episode 5) | Fyret: Øens Søn | 1 | Sæson 1 | 5 | Lys: Del 2
        Fyret: Julen: Gløgg (Afsnit 1) | Fyret | - | Julen | 1 | Gløgg
        Rugbrød: 2. sæson: Skorpe (Afsnit 3) | Rugbrød | 2 | 2. sæson | 3 | Skorpe
        Rugbrød: Første sæson: Krumme (Afsnit 4) | Rugbrød | 1 | Første sæson | 4 | Krumme
        Sommerhuset ved Åen | film
        Freja: Et liv | film
    """,
    "sv": """
        Skäret: Säsong 1: Dimman (Avsnitt 1) | Skäret | 1 | Säsong 1 | 1 | Dimman
        Skäret: Säsong 2: Kapitel sex: Båten (Avsnitt 6) | Skäret | 2 | Säsong 2 | 6 | Kapitel sex: Båten
        Skäret: Säsong 2: Avsnitt 4 | Skäret | 2 | Säsong 2 | 4 | Avsnitt 4
        Skäret: Del 2: Bryggan (Avsnitt 3) | Skäret | 2 | Del 2 | 3 | Bryggan
        Granskogen: Miniserie: Kåda (Avsnitt 1) | Granskogen | - | Miniserie | 1 | Kåda
        Granskogen: Del två: Kotte (Avsnitt 8) | Granskogen | 2 | Del två | 8 | Kotte
        Spår: Norrut: Säsong 3: Renar: Del 1 (Avsnitt 9) | Spår: Norrut | 3 | Säsong 3 | 9 | Renar: Del 1
        Spår: Andra säsongen: Is (Avsnitt 1) | Spår | 2 | Andra säsongen | 1 | Is
        Den sista båten | film
        Tove: En höst | film
    """,
    "nb": """
        Fjellet: Sesong 1: Snøskred (Episode 1) | Fjellet | 1 | Sesong 1 | 1 | Snøskred
        Fjellet: Sesong 2: Kapittel tre: Hytta (Episode 3) | Fjellet | 2 | Sesong 2 | 3 | Kapittel tre: Hytta
        Fjellet: Sesong 2: Episode 4 | Fjellet | 2 | Sesong 2 | 4 | Episode 4
        Fjellet: Del 1: Varden (Episode 7) | Fjellet | 1 | Del 1 | 7 | Varden
        Fisketorget: Miniserie: Torsk (Episode 2) | Fisketorget | - | Miniserie | 2 | Torsk
        Fisketorget: Del fire: Sild (Episode 6) | Fisketorget | 4 | Del fire | 6 | Sild
        Brann: Etterpå: Sesong 1: Aske: Del 2 (Episode 8) | Brann: Etterpå | 1 | Sesong 1 | 8 | Aske: Del 2
        Brann: Etterpå: Juleaften: Ribbe (Episode 1) | Brann: Etterpå | - | Juleaften | 1 | Ribbe
        Rekka: Sesong én: Kø (Episode 1) | Rekka | 1 | Sesong én | 1 | Kø
        Rekka: Andre sesong: Lapp (Episode 2) | Rekka | 2 | Andre sesong | 2 | Lapp
        Vinterferien | film
        Liv: Hele historien | film
    """,
    "cs": """
        Mlýn: 1. řada: Voda (Epizoda 1) | Mlýn | 1 | 1. řada | 1 | Voda
        Mlýn: 2. řada: 3. díl | Mlýn | 2 | 2. řada | 3 | 3. díl
        Mlýn: 2. řada: 4. díl: Mouka (Epizoda 4) | Mlýn | 2 | 2. řada | 4 | 4. díl: Mouka
        Mlýn: 12. řada: Jez (Epizoda 5) | Mlýn | 12 | 12. řada | 5 | Jez
        Skleník: 1. část: Kořeny (Epizoda 2) | Skleník | 1 | 1. část | 2 | Kořeny
        Skleník: 3. svazek: Listí (Epizoda 6) | Skleník | 3 | 3. svazek | 6 | Listí
        Skleník: Minisérie: Mráz (Epizoda 1) | Skleník | - | Minisérie | 1 | Mráz
        Hory: Nový Začátek: 2. řada: Lavina: 1. část (Epizoda 8) | Hory: Nový Začátek | 2 | 2. řada | 8 | Lavina: 1. část
        Hory: Druhá řada: Sestup (Epizoda 9) | Hory | 2 | Druhá řada | 9 | Sestup
        Poslední vlak do Kolína | film
        Jana: Jeden rok | film
    """,
    "tr": """
        Kıyı: 1. Sezon: Rüzgâr (Bölüm 1) | Kıyı | 1 | 1. Sezon | 1 | Rüzgâr
        Kıyı: 2. Sezon: 3. Bölüm | Kıyı | 2 | 2. Sezon | 3 | 3. Bölüm
        Kıyı: 2. Sezon: 4. Bölüm (Bölüm 4) | Kıyı | 2 | 2. Sezon | 4 | 4. Bölüm
        Kıyı: Sezon 3: İskele (Bölüm 2) | Kıyı | 3 | Sezon 3 | 2 | İskele
        Taş Köprü: 1. Kısım: Usta (Bölüm 5) | Taş Köprü | 1 | 1. Kısım | 5 | Usta
        Taş Köprü: Mini Dizi: Çırak (Bölüm 1) | Taş Köprü | - | Mini Dizi | 1 | Çırak
        Gece: İkinci Perde: 1. Sezon: Işık: 2. Kısım (Bölüm 6) | Gece: İkinci Perde | 1 | 1. Sezon | 6 | Işık: 2. Kısım
        Gece: Birinci Sezon: Ay (Bölüm 2) | Gece | 1 | Birinci Sezon | 2 | Ay
        Gece: Üçüncü Perde: Yıldız (Bölüm 3) | Gece | - | Üçüncü Perde | 3 | Yıldız
        Son Vapur | film
        Elif: Bir Yaz | film
    """,
    "ko": """
        강변 식당: 시즌 1: 첫 손님 (에피소드 1) | 강변 식당 | 1 | 시즌 1 | 1 | 첫 손님
        강변 식당: 시즌 1: 2화 | 강변 식당 | 1 | 시즌 1 | 2 | 2화
        강변 식당: 시즌 2: 제3회 | 강변 식당 | 2 | 시즌 2 | 3 | 제3회
        강변 식당: 시즌2: 된장 (4화) | 강변 식당 | 2 | 시즌2 | 4 | 된장
        유리 탑: 파트 2: 계단 (에피소드 7) | 유리 탑 | 2 | 파트 2 | 7 | 계단
        유리 탑: 1부: 문 (에피소드 1) | 유리 탑 | 1 | 1부 | 1 | 문
        유리 탑: 리미티드 시리즈: 창 (에피소드 2) | 유리 탑 | - | 리미티드 시리즈 | 2 | 창
        밤: 두 번째 길: 시즌 1: 골목: 파트 1 (에피소드 5) | 밤: 두 번째 길 | 1 | 시즌 1 | 5 | 골목: 파트 1
        밤: 두 번째 시즌: 불빛 (에피소드 1) | 밤 | 2 | 두 번째 시즌 | 1 | 불빛
        마지막 버스 | film
        하나: 어느 여름 | film
    """,
    "ja": """
        港の食堂: シーズン1: 朝の客 (エピソード 1) | 港の食堂 | 1 | シーズン1 | 1 | 朝の客
        港の食堂: シーズン 2: エピソード3 | 港の食堂 | 2 | シーズン 2 | 3 | エピソード3
        港の食堂: シーズン2: 第4話 | 港の食堂 | 2 | シーズン2 | 4 | 第4話
        港の食堂: シーズン３: 夜の客 (エピソード 2) | 港の食堂 | 3 | シーズン３ | 2 | 夜の客
        硝子の塔: 第2シリーズ: 階段 (エピソード 5) | 硝子の塔 | 2 | 第2シリーズ | 5 | 階段
        硝子の塔: パート2: 扉 (エピソード 7) | 硝子の塔 | 2 | パート2 | 7 | 扉
        硝子の塔: リミテッドシリーズ: 窓 (エピソード 1) | 硝子の塔 | - | リミテッドシリーズ | 1 | 窓
        夜: 第二の道: シーズン1: 路地: パート1 (エピソード 6) | 夜: 第二の道 | 1 | シーズン1 | 6 | 路地: パート1
        夜: 第二シリーズ: 灯 (エピソード 1) | 夜 | 2 | 第二シリーズ | 1 | 灯
        最後のバス | film
        花: ある夏 | film
    """,
    "mixed": """
        Night Desk: Seizoen 2: Inkt (Aflevering 3) | Night Desk | 2 | Seizoen 2 | 3 | Inkt
        Night Desk: Saison 2: Encre (Épisode 3) | Night Desk | 2 | Saison 2 | 3 | Encre
        Night Desk: Temporada 2: Ink (Episode 3) | Night Desk | 2 | Temporada 2 | 3 | Ink
        Le Phare: Season 1: La Tempête (Episode 1) | Le Phare | 1 | Season 1 | 1 | La Tempête
        Das Wehr: Season 1: Folge 2 | Das Wehr | 1 | Season 1 | 2 | Folge 2
        港の食堂: Season 1: Morning Guest (Episode 1) | 港の食堂 | 1 | Season 1 | 1 | Morning Guest
        강변 식당: Temporada 1: Episódio 2 | 강변 식당 | 1 | Temporada 1 | 2 | Episódio 2
        Mlýn: Series 1: 2. díl | Mlýn | 1 | Series 1 | 2 | 2. díl
        Night Desk: Kausi 2: Muste (Jakso 3) | Night Desk | 2 | Kausi 2 | 3 | Muste
        Night Desk: 2. évad: Tinta (3. epizód) | Night Desk | 2 | 2. évad | 3 | Tinta
        Night Desk: Season 4: Muste (Jakso 1) | Night Desk | 4 | Season 4 | 1 | Muste
        De Sluis: Sezonul 2: Apa (Episodul 2) | De Sluis | 2 | Sezonul 2 | 2 | Apa
    """,
}
# The simple history: no suffix, and often no season.
_SIMPLE = {
    "en": """
        Night Desk: Season 1: Ink | Night Desk | 1 | Season 1 | - | Ink
        Night Desk: Season 1: Episode 2 | Night Desk | 1 | Season 1 | 2 | Episode 2
        The Lamplighter: Welcome | The Lamplighter | - | - | - | Welcome
        The Lamplighter: Some Smoke | The Lamplighter | - | - | - | Some Smoke
        The Lamplighter: The Wick | The Lamplighter | - | - | - | The Wick
        Lodger vs Wasp: Chapter 1 | Lodger vs Wasp | - | - | 1 | Chapter 1
        Lodger vs Wasp: Chapter 2 | Lodger vs Wasp | - | - | 2 | Chapter 2
        Lodger vs Wasp: Chapter 9 | Lodger vs Wasp | - | - | 9 | Chapter 9
        Quiet Bay: Episode 3 | Quiet Bay | - | - | 3 | Episode 3
        Quiet Bay: Chapter 5: Gulls | Quiet Bay | - | - | 5 | Chapter 5: Gulls
        Only Once: The Pilot | Only Once | - | - | - | The Pilot
        Kite: The Legend: Kite: The Legend: Book 1: Air | Kite: The Legend | 1 | Book 1 | - | Air
        Kite: La leyenda: Kite: The Legend: Book 1: Air | Kite: The Legend | 1 | Book 1 | - | Air
        The Ferrymen: Series 3: Neap | The Ferrymen | 3 | Series 3 | - | Neap
        Glasshouse: Limited Series: Frost | Glasshouse | - | Limited Series | - | Frost
        900: Rise of a Village | film
        Mill Saga: The Wheel | film
        Mill Saga: The Stone | film
        Mill Saga: The Flour | film
        The Red Harbour | film
    """,
    "pt": """
        Café da Esquina: Temporada 1: O Começo | Café da Esquina | 1 | Temporada 1 | - | O Começo
        Sal Grosso: Minissérie: Panela | Sal Grosso | - | Minissérie | - | Panela
        Praça Seca: Episódio 2 | Praça Seca | - | - | 2 | Episódio 2
    """,
    "fr": """
        Le Phare: Saison 1: La Tempête | Le Phare | 1 | Saison 1 | - | La Tempête
        Le Phare\u00a0: Saison 1\u00a0: Le Sel | Le Phare | 1 | Saison 1 | - | Le Sel
        Les Marées\u00a0: Le Film | film
    """,
    "es": """
        Este y oeste: Oasis: La duna | Este y oeste | - | Oasis | - | La duna
        Este y oeste: Temporada 1: El pozo | Este y oeste | 1 | Temporada 1 | - | El pozo
    """,
    "de": """
        Das Wehr: Staffel 1: Hochwasser | Das Wehr | 1 | Staffel 1 | - | Hochwasser
        Zwei Ufer: Folge 2 | Zwei Ufer | - | - | 2 | Folge 2
    """,
    "it": """
        Vicolo Stretto: Stagione 1: La chiave | Vicolo Stretto | 1 | Stagione 1 | - | La chiave
        Due Porte: Capitolo uno: Il cardine | Due Porte | - | - | 1 | Capitolo uno: Il cardine
    """,
    "nl": """
        De Sluis: Seizoen 1: Het peil | De Sluis | 1 | Seizoen 1 | - | Het peil
        Twee Bruggen: Aflevering 6 | Twee Bruggen | - | - | 6 | Aflevering 6
    """,
    "pl": """
        Most nad Rzeką: Sezon 1: Powrót | Most nad Rzeką | 1 | Sezon 1 | - | Powrót
        Kowal: Rozdział 2 | film
    """,
    "da": """
        Havnen: Sæson 1: Ankomst | Havnen | 1 | Sæson 1 | - | Ankomst
    """,
    "sv": """
        Skäret: Säsong 1: Dimman | Skäret | 1 | Säsong 1 | - | Dimman
    """,
    "nb": """
        Fjellet: Sesong 1: Snøskred | Fjellet | 1 | Sesong 1 | - | Snøskred
    """,
    "cs": """
        Mlýn: 1. řada: Voda | Mlýn | 1 | 1. řada | - | Voda
    """,
    "tr": """
        Kıyı: 1. Sezon: 2. Bölüm | Kıyı | 1 | 1. Sezon | 2 | 2. Bölüm
        Bir Ev: 4. Bölüm | Bir Ev | - | - | 4 | 4. Bölüm
    """,
    "ko": """
        강변 식당: 시즌 1: 첫 손님 | 강변 식당 | 1 | 시즌 1 | - | 첫 손님
        섬: 3화 | 섬 | - | - | 3 | 3화
    """,
    "ja": """
        港の食堂: シーズン1: 朝の客 | 港の食堂 | 1 | シーズン1 | - | 朝の客
        島: 第3話 | 島 | - | - | 3 | 第3話
    """,
}


def _labelled(texts: dict[str, str]) -> list[Labelled]:
    return [
        _row(language, *line.strip().split(" | "))
        for language, text in texts.items()
        for line in text.strip().split("\n")
    ]


def _row(language: str, title: str, series: str, *rest: str) -> Labelled:
    if series == "film":
        return Labelled(language, title, None, None, None, None, None, "film")
    season, season_name, episode, name = (None if cell == "-" else cell for cell in rest)
    numbers = [None if cell is None else int(cell) for cell in (season, episode)]
    return Labelled(language, title, series, numbers[0], season_name, numbers[1], name, "episode")


def _decomposed(rows: list[Labelled]) -> list[Labelled]:
    """Write every third title as a Mac does, its accents apart from their letters."""
    return [
        row._replace(title=unicodedata.normalize("NFD", row.title)) if at % 3 == 0 else row
        for at, row in enumerate(rows)
    ]


ACTIVITY = _decomposed(_labelled(_ACTIVITY))
SIMPLE = _decomposed(_labelled(_SIMPLE))
